-- Reports about a task's patient that meet, by their time and content, one of its resolvers. The
-- default resolution counts within the window, any other from the source report on.
select
    task.task_id,
    task.source_id,
    task.definition,
    task.appointment_key,
    task.appointment_on,
    task.is_applicable,
    task.is_deleted,
    task_resolver.resolver,
    task_resolver.alternative,
    report.uuid as report_uuid,
    report.form,
    report.reported_at,
    report.named_task_id
from {{ ref('reported_task') }} as task
inner join {{ source('app', 'task_resolver') }} as task_resolver
    on task.definition = task_resolver.definition
inner join {{ ref('report') }} as report
    on task.subject_key = report.subject_key
    and task_resolver.form = report.form
left join {{ ref('report_finding') }} as report_finding
    on report.uuid = report_finding.uuid
    and task_resolver.definition = report_finding.definition
    and task_resolver.resolver = report_finding.resolver
where
    not report.is_deleted
    and not report.is_flagged_deleted
    and case
        when not task_resolver.is_default
            then report.reported_at > coalesce(task.counts_from, '-infinity')
        when task.is_contact
            then report.reported_at between task.opens_at and task.closes_at
        else report.reported_at
            between greatest(task.opens_at, task.counts_from + interval '1 millisecond')
            and task.closes_at
    end
    and (not {{ resolver_has_condition('task_resolver') }} or report_finding.uuid is not null)
    and (task_resolver.source_path is null or report_finding.source_reference = task.source_id)
    and (task_resolver.visit_path is null or report_finding.visit_on >= task.visits_from)
