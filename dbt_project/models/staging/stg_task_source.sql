-- A row per report and event of every definition that names the report's form.
with document as (
    select * from {{ ref('stg_document') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

task_event as (
    select * from {{ source('app', 'task_event') }}
)

select
    document.uuid || '~' || task_event.event || '~' || task_definition.name as task_id,
    document.uuid as source_id,
    task_definition.name as definition,
    task_definition.hash as definition_hash,
    task_event.event,
    document.content #>> task_definition.appointment_path as appointment_text,
    document.content #>> task_event.due_path as due_text,
    {{ first_filled([
        "document.content -> 'fields' ->> 'patient_name'",
        "document.content -> 'fields' -> 'inputs' -> 'contact' ->> 'name'",
    ]) }} as reported_patient_name,
    {{ first_filled([
        "document.content -> 'fields' ->> 'patient_id'",
        "document.content ->> 'patient_id'",
    ]) }} as reported_patient_id,
    {{ first_filled([
        "document.content -> 'fields' ->> 'patient_uuid'",
        "document.content ->> 'patient_uuid'",
    ]) }} as reported_patient_uuid,
    document.is_deleted,
    document.landed_number
from document
inner join task_definition
    on document.content ->> 'form' = any(task_definition.form_codes)
    and document.content ->> 'type' = 'data_record'
    and coalesce(document.content @@ task_definition.applies_if, task_definition.applies_if is null)
inner join task_event
    on task_definition.name = task_event.definition
