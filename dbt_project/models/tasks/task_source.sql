{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['source_id']},
        {'columns': ['definition', 'definition_hash']},
        {'columns': ['run_number']},
    ],
    post_hook="delete from {{ this }} as known where not exists (
        select from {{ source('app', 'task_definition') }} as task_definition
        where task_definition.name = known.definition
    )",
) }}

with staged as (
    select * from {{ ref('stg_task_source') }}
),

document as (
    select * from {{ ref('stg_document') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

report as (
    select * from {{ ref('report') }}
),

{% if is_incremental() -%}
changed_definition as (
    select task_definition.*
    from task_definition
    where not exists (
        select from {{ this }} as known
        where
            known.definition = task_definition.name
            and known.definition_hash = task_definition.hash
    )
),

changed as (
    select document.uuid
    from document
    where document.landed_number > {{ landed_before('task_source') }}
    union
    select report.uuid
    from report
    inner join changed_definition
        on report.form = any(changed_definition.form_codes)
    union
    select known.source_id
    from {{ this }} as known
    inner join changed_definition
        on known.definition = changed_definition.name
),

{% endif -%}
fresh as (
    select staged.*
    from staged
    {% if is_incremental() -%}
    inner join changed
        on staged.source_id = changed.uuid
    {%- endif %}
)

select
    fresh.task_id,
    fresh.source_id,
    fresh.definition,
    fresh.definition_hash,
    fresh.event,
    fresh.appointment_text,
    fresh.due_text,
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
    known.definition,
    coalesce(task_definition.hash, known.definition_hash),
    known.event,
    known.appointment_text,
    known.due_text,
    known.reported_patient_name,
    known.reported_patient_id,
    known.reported_patient_uuid,
    false,
    {{ this_run() }}
from {{ this }} as known
inner join changed
    on known.source_id = changed.uuid
left join task_definition
    on known.definition = task_definition.name
where not exists (select from fresh where fresh.task_id = known.task_id)
{%- endif %}
