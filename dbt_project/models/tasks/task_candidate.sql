{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['source_id']},
        {'columns': ['definition']},
        {'columns': ['run_number']},
    ],
    pre_hook="{{ delete_dropped_definitions() }}",
) }}

with staged as (
    select * from {{ ref('stg_task_candidate') }}
),

document as (
    select * from {{ ref('stg_document') }}
),

changed_definition as materialized (
    select * from {{ ref('int_changed_definition') }}
),

report as (
    select * from {{ ref('report') }}
),

contact as (
    select * from {{ ref('contact') }}
),

{% if is_incremental() -%}
changed as (
    select document.uuid
    from document
    where
        document.landed_number > {{ landed_before('task_candidate') }}
        and document.is_forgotten is not true
    union
    select report.uuid
    from report
    where
        -- asked once, so that nothing is read where no definition changed
        exists (select from changed_definition)
        and exists (
            select from changed_definition
            where
                not changed_definition.applies_to_contacts
                and (
                    changed_definition.applies_to_type is null
                    or report.form = any(changed_definition.applies_to_type)
                )
        )
    union
    select contact.uuid
    from contact
    where
        -- asked once, so that nothing is read where no definition changed
        exists (select from changed_definition)
        and exists (
            select from changed_definition
            where
                changed_definition.applies_to_contacts
                and (
                    changed_definition.applies_to_type is null
                    or contact.contact_type = any(changed_definition.applies_to_type)
                )
        )
    union
    select known.source_id
    from {{ this }} as known
    where known.definition = any(array(select changed_definition.definition from changed_definition))
),

{% endif -%}
fresh as (
    select staged.*
    from staged
    {% if is_incremental() -%}
    where staged.source_id = any(array(select changed.uuid from changed))
    {%- endif %}
)

{% set columns = [
    'task_id', 'source_id', 'is_contact', 'definition', 'event', 'is_scheduled', 'scheduled_text',
    'appointment_text', 'due_text', 'is_cleared', 'cleared_at', 'contact_label',
    'reported_patient_name', 'reported_patient_id', 'reported_patient_uuid'
] -%}
select
    {% for column in columns -%}
    fresh.{{ column }},
    {% endfor -%}
    true as is_applicable,
    {{ this_run() }} as run_number
from fresh
{% if is_incremental() -%}
-- what applied before and does not any more stays as a row, so that its task can be deleted
union all
select
    {% for column in columns -%}
    known.{{ column }},
    {% endfor -%}
    false,
    {{ this_run() }}
from {{ this }} as known
where
    known.source_id = any(array(select changed.uuid from changed))
    and not exists (select from fresh where fresh.task_id = known.task_id)
{%- endif %}
