{{ config(unique_key=['task_id']) }}

with live as (
    select * from {{ ref('live_missed_appointment') }}
)

select
    live.task_id,
    live.task_uuid,
    live.source_id,
    live.definition,
    live.event,
    live.appointment_task_id,
    live.report_count,
    live.last_reported_at,
    live.title,
    live.priority_level,
    live.state,
    live.standing,
    live.excluded_reason,
    live.flags,
    live.patient_uuid,
    live.place_uuid,
    live.place_name,
    live.area_uuid,
    live.area_name,
    live.chw_uuid,
    live.appointment_on,
    live.reported_at,
    live.opens_on,
    live.due_on,
    live.closes_on,
    live.is_timely,
    live.resolved_by_report,
    live.resolved_by_form,
    live.resolved_at,
    live.verification_report_id,
    live.verification_round,
    live.verification_outcome,
    live.verification_visit_on,
    live.verification_reason,
    live.verification_answered_in,
    live.verification_sender_uuid,
    live.verified_by,
    live.verified_at
from live
