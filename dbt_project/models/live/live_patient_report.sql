with task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

report as (
    select * from {{ ref('report') }}
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
        unnest(task_definition.newer_report_forms || task_definition.default_form) as form,
        'visited' as kind,
        2 as precedence
    from task_definition

    union all

    select
        unnest(array['{{ var("tracing_forms") | join("', '") }}']) as form,
        'traced' as kind,
        0 as precedence
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
    report.reported_at
from report
inner join form
    on report.form = form.form
where
    not report.is_deleted
    and report.subject_uuid is not null
