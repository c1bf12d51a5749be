with task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

task_resolver as (
    select * from {{ source('app', 'task_resolver') }}
),

report as (
    select * from {{ ref('report') }}
),

report_finding as (
    select * from {{ ref('report_finding') }}
),

named as (
    select
        unnest(task_definition.applies_to_type) as form,
        'reported' as kind,
        1 as precedence
    from task_definition
    where task_definition.applies_to = 'reports'

    union all

    select
        task_resolver.form,
        'visited' as kind,
        2 as precedence
    from task_resolver

    union all

    select
        unnest(task_definition.tracing_forms) as form,
        'traced' as kind,
        0 as precedence
    from task_definition
),

form as (
    select distinct on (named.form)
        named.form,
        named.kind
    from named
    where named.form <> '{{ var("verification_form") }}'
    order by named.form, named.precedence
)

select
    report.uuid as report_uuid,
    report.subject_key as patient_uuid,
    report.form,
    form.kind,
    report.reported_at,
    (
        select min(report_finding.trace_outcome)
        from report_finding
        where
            report_finding.uuid = report.uuid
            and report_finding.resolver is null
    ) as trace_outcome
from report
inner join form
    on report.form = form.form
where
    not report.is_deleted
    and report.subject_uuid is not null
