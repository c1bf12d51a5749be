{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid', 'definition']},
        {'columns': ['definition']},
    ],
    pre_hook="{{ delete_changed_findings() }}",
) }}

with staged as not materialized (
    select * from {{ ref('stg_report_finding') }}
),

document as not materialized (
    select * from {{ ref('stg_document') }}
),

report as (
    select * from {{ ref('report') }}
),

changed_definition as not materialized (
    select * from {{ ref('int_changed_definition') }}
){% if is_incremental() %},

changed_form as (
    select task_resolver.form
    from {{ source('app', 'task_resolver') }} as task_resolver
    where task_resolver.definition in (select changed.definition from changed_definition as changed)
    union
    select unnest(task_definition.tracing_forms)
    from {{ source('app', 'task_definition') }} as task_definition
    where task_definition.name in (select changed.definition from changed_definition as changed)
),

changed as (
    select document.uuid
    from document
    where document.landed_number > {{ landed_before('report_finding') }}
    union
    select report.uuid
    from report
    where report.form = any(array(select changed_form.form from changed_form))
){% endif %}

select
    staged.uuid,
    staged.definition,
    staged.resolver,
    staged.source_reference,
    staged.visit_on,
    staged.trace_outcome
from staged
{% if is_incremental() -%}
where staged.uuid = any(array(select changed.uuid from changed))
{%- endif %}
