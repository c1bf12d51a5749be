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

report as not materialized (
    select * from {{ ref('report') }}
){% if is_incremental() %},

changed_form as (
    select task_resolver.form
    from {{ source('app', 'task_resolver') }} as task_resolver
    where {{ is_changed_definition('task_resolver.definition') }}
    union
    select unnest(task_definition.tracing_forms)
    from {{ source('app', 'task_definition') }} as task_definition
    where {{ is_changed_definition('task_definition.name') }}
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
