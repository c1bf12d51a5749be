-- What resolves a task by itself: of the alternatives of resolvedIf the one that was met first, which
-- is when the last of its resolvers was; else its schedule that was cleared. A report that names a
-- task resolves that task and no other. Verifications do not resolve (int_verification_by_appointment).
with resolving_report as (
    select * from {{ ref('int_resolving_report') }}
),

first_report as (
    select distinct on (resolving_report.task_id, resolving_report.resolver)
        resolving_report.*
    from resolving_report
    where
        not resolving_report.is_deleted
        and resolving_report.report_uuid <> resolving_report.source_id
        and coalesce(resolving_report.named_task_id, resolving_report.task_id)
        = resolving_report.task_id
        and resolving_report.form <> '{{ var("verification_form") }}'
    order by
        resolving_report.task_id,
        resolving_report.resolver,
        resolving_report.reported_at,
        resolving_report.report_uuid
),

resolution as (
    select
        first_report.task_id,
        false as is_cleared,
        (array_agg(
            first_report.report_uuid order by first_report.reported_at desc, first_report.report_uuid
        ))[1] as resolved_by_report,
        (array_agg(
            first_report.form order by first_report.reported_at desc, first_report.report_uuid
        ))[1] as resolved_by_form,
        max(first_report.reported_at) as resolved_at
    from first_report
    group by first_report.task_id, first_report.definition, first_report.alternative
    having count(*) = (
        select count(*)
        from {{ source('app', 'task_resolver') }} as task_resolver
        where
            task_resolver.definition = first_report.definition
            and task_resolver.alternative = first_report.alternative
    )

    union all

    select
        task.task_id,
        true,
        task.source_id,
        null,
        task.cleared_at
    from {{ ref('reported_task') }} as task
    inner join {{ source('app', 'task_definition') }} as task_definition
        on task.definition = task_definition.name
    where
        task.is_cleared
        and task_definition.is_resolved_when_cleared
)

select distinct on (resolution.task_id)
    resolution.task_id,
    resolution.resolved_by_report,
    resolution.resolved_by_form,
    resolution.resolved_at
from resolution
order by
    resolution.task_id,
    resolution.is_cleared,
    resolution.resolved_at,
    resolution.resolved_by_report
