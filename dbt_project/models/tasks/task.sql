{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['task_uuid'], 'unique': true},
        {'columns': ['source_id']},
        {'columns': ['appointment_task_id']},
        {'columns': ['patient_uuid', 'definition']},
        {'columns': ['definition']},
        {'columns': ['sender_uuid']},
        {'columns': ['place_uuid']},
        {'columns': ['known_due_on']},
    ],
    pre_hook="{{ delete_inapplicable_tasks() }}",
    post_hook="{{ remember_definitions() }}",
) }}

with reported_task as not materialized (
    select * from {{ ref('reported_task') }}
),

placed as (
    select * from {{ ref('int_task_placed') }}
),

appointment as not materialized (
    select * from {{ ref('appointment') }}
),

appointment_verification as (
    select * from {{ ref('appointment_verification') }}
),

resolved as (
    select * from {{ ref('int_task_resolved') }}
),

contact as (
    select * from {{ ref('contact') }}
),

place as (
    select * from {{ ref('place') }}
),

{% if is_incremental() -%}
changed_person_or_place as (
    select contact.uuid
    from contact
    where {{ written_since('task', 'contact.run_number') }}
    union
    select place.place_uuid
    from place
    where {{ written_since('task', 'place.run_number') }}
),

changed as (
    select reported_task.task_id
    from reported_task
    where {{ written_since('task', 'reported_task.run_number') }}
    union
    select reported_task.task_id
    from reported_task
    where reported_task.appointment_key = any(array(
        select appointment.appointment_key
        from appointment
        where {{ written_since('task', 'appointment.run_number') }}
    ))
    {% for column in ['patient_uuid', 'sender_uuid', 'place_uuid'] -%}
    union
    select known.task_id
    from {{ this }} as known
    where known.{{ column }} = any(array(select changed.uuid from changed_person_or_place as changed))
    {% endfor %}
),

{% endif -%}
own_resolution as (
    select resolved.*
    from resolved
    {% if is_incremental() -%}
    where resolved.task_id = any(array(select changed.task_id from changed))
    {%- endif %}
)

select
    placed.task_id,
    app.task_uuid(placed.task_id) as task_uuid,
    placed.source_id,
    placed.definition,
    placed.event,
    case
        when placed.is_withdrawn then placed.task_id else appointment.task_id
    end as appointment_task_id,
    case
        when role.is_carrying
            then appointment.task_ids || coalesce(appointment_verification.moved_here, '{}')
        when placed.is_withdrawn then array[placed.task_id]
        else '{}'
    end as answered_as,
    appointment.report_count,
    appointment.last_reported_at,
    placed.reported_at,
    placed.subject_uuid as patient_uuid,
    placed.patient_name,
    placed.patient_id,
    placed.reported_patient_uuid,
    placed.phone,
    placed.sex,
    placed.date_of_birth,
    placed.sender_uuid,
    placed.place_uuid,
    placed.place_name,
    placed.area_uuid,
    placed.area_name,
    placed.chw_uuid,
    placed.chw_name,
    placed.appointment_on,
    case when role.is_carrying then appointment.opens_on else placed.opens_on end
        as known_opens_on,
    placed.due_on as known_due_on,
    case when role.is_carrying then appointment.closes_on else placed.closes_on end
        as known_closes_on,
    placed.flags || case
        when
            placed.task_id = any(appointment_verification.moved_away)
            and (appointment_verification.report_id is null or not role.is_answered)
            then array['appointment_changed']
        else '{}'::text[]
    end as flags,
    placed.is_withdrawn,
    placed.excluded_reason,
    {% for column in ['resolved_by_report', 'resolved_by_form', 'resolved_at'] -%}
    case when role.is_carrying then appointment.{{ column }} else own_resolution.{{ column }} end
        as last_{{ column }},
    {% endfor -%}
    case when role.is_carrying then appointment.unresolved_until end as unresolved_until,
    {% for column in [
        'report_id', 'round', 'outcome', 'visit_on', 'reason', 'sender_uuid', 'verified_at'
    ] -%}
    case when role.is_answered then appointment_verification.{{ column }} end as landed_{{ column }},
    {% endfor -%}
    appointment_verification.last_round as landed_last_round,
    {{ this_run() }} as run_number
from placed
inner join appointment
    on placed.appointment_key = appointment.appointment_key
left join appointment_verification
    on placed.appointment_key = appointment_verification.appointment_key
left join own_resolution
    on placed.task_id = own_resolution.task_id
cross join lateral (
    select
        coalesce(appointment.task_id = placed.task_id, false) as is_carrying,
        -- answers stand with the task that carries the appointment; with all, where all are withdrawn
        coalesce(appointment.task_id = placed.task_id, true) as is_answered
) as role
where
    placed.is_applicable
    {% if is_incremental() -%}
    and placed.task_id = any(array(select changed.task_id from changed))
    {%- endif %}
{% if not is_incremental() -%}
-- a supervisor's tasks side by side on the disk, since nobody reads one of them alone
order by placed.place_uuid
{%- endif %}
