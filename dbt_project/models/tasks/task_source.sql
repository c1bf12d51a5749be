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
    select * from {{ ref('stg_task_source') }}
),

document as not materialized (
    select * from {{ ref('stg_document') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

refreshed_definition as (
    select * from {{ source('build', 'refreshed_definition') }}
),

report as not materialized (
    select * from {{ ref('report') }}
),

contact as not materialized (
    select * from {{ ref('contact') }}
),

{% if is_incremental() -%}
changed_definition as (
    select
        task_definition.name,
        task_definition.applies_to = 'contacts' as asks_contacts,
        task_definition.applies_to_type
    from task_definition
    where not exists (
        select from refreshed_definition
        where
            refreshed_definition.definition = task_definition.name
            and refreshed_definition.hash = task_definition.hash
    )
),

changed as (
    select document.uuid
    from document
    where
        document.landed_number > {{ landed_before('task_source') }}
        and document.is_forgotten is not true
    union
    {{ sources_asked_anew('report', 'form', asks_contacts=false) }}
    union
    {{ sources_asked_anew('contact', 'contact_type', asks_contacts=true) }}
    union
    select known.source_id
    from {{ this }} as known
    where
        exists (select from changed_definition)
        and known.definition in (select changed_definition.name from changed_definition)
),

{% endif -%}
fresh as (
    select staged.*
    from staged
    {% if is_incremental() -%}
    where staged.source_id = any(array(select changed.uuid from changed))
    {%- endif %}
)

select
    fresh.task_id,
    fresh.source_id,
    fresh.is_contact,
    fresh.definition,
    fresh.event,
    fresh.is_scheduled,
    fresh.scheduled_text,
    fresh.appointment_text,
    fresh.due_text,
    fresh.is_cleared,
    fresh.cleared_at,
    fresh.contact_label,
    fresh.reported_patient_name,
    fresh.reported_patient_id,
    fresh.reported_patient_uuid,
    true as is_applicable,
    {{ this_run() }} as run_number
from fresh
{% if is_incremental() -%}
-- what applied before and does not any more stays as a row, so that its task can be taken down
union all
select
    known.task_id,
    known.source_id,
    known.is_contact,
    known.definition,
    known.event,
    known.is_scheduled,
    known.scheduled_text,
    known.appointment_text,
    known.due_text,
    known.is_cleared,
    known.cleared_at,
    known.contact_label,
    known.reported_patient_name,
    known.reported_patient_id,
    known.reported_patient_uuid,
    false,
    {{ this_run() }}
from {{ this }} as known
where
    known.source_id = any(array(select changed.uuid from changed))
    and not exists (select from fresh where fresh.task_id = known.task_id)
{%- endif %}
