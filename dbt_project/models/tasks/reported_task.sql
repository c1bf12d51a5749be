{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['subject_key']},
        {'columns': ['definition']},
        {'columns': ['run_number']},
    ],
    pre_hook="{{ delete_dropped_events() }}",
) }}

with task_source as not materialized (
    select * from {{ ref('task_source') }}
),

dated as (
    select * from {{ ref('int_task_dated') }}
),

task_definition as not materialized (
    select * from {{ source('app', 'task_definition') }}
),

task_resolver as not materialized (
    select * from {{ source('app', 'task_resolver') }}
),

report as not materialized (
    select * from {{ ref('report') }}
),

report_finding as not materialized (
    select * from {{ ref('report_finding') }}
),

contact as not materialized (
    select * from {{ ref('contact') }}
),

{% if is_incremental() -%}
changed_report as (
    select report.*
    from report
    where {{ written_since('reported_task', 'report.run_number') }}
),

affected as (
    {{ affected_reported_tasks() }}
),

{% endif -%}
asked as (
    select
        dated.*,
        task_definition.is_resolved_when_cleared and dated.is_cleared as is_cleared_away
    from dated
    inner join task_definition
        on dated.definition = task_definition.name
    {% if is_incremental() -%}
    where dated.task_id = any(array(select affected.task_id from affected))
    {%- endif %}
),

resolved as (
    {{ resolutions() }}
)

select
    asked.task_id,
    asked.source_id,
    asked.is_contact,
    asked.definition,
    asked.event,
    asked.contact_label,
    asked.reported_patient_name,
    asked.reported_patient_id,
    asked.reported_patient_uuid,
    asked.reported_at,
    asked.counts_from,
    asked.subject_key,
    asked.former_keys,
    asked.subject_uuid,
    asked.sender_uuid,
    asked.sender_place_uuid,
    asked.appointment_on,
    asked.visits_from,
    asked.series,
    coalesce(asked.appointment_key, asked.task_id) as appointment_key,
    asked.opens_on,
    asked.due_on,
    asked.closes_on,
    asked.opens_at,
    asked.closes_at,
    asked.flags,
    asked.is_applicable,
    asked.is_deleted or asked.is_flagged_deleted as is_withdrawn,
    case
        when resolved.task_id is not null then resolved.resolved_by_report
        when asked.is_cleared_away then asked.source_id
    end as resolved_by_report,
    resolved.resolved_by_form,
    coalesce(resolved.resolved_at, case when asked.is_cleared_away then asked.cleared_at end)
        as resolved_at,
    {{ this_run() }} as run_number
from asked
left join resolved
    on asked.task_id = resolved.task_id
