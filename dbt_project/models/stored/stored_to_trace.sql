{{ config(unique_key=['patient_uuid']) }}

with live as (
    select * from {{ ref('live_to_trace') }}
)

select
    live.patient_uuid,
    live.task_id,
    live.task_uuid,
    live.definition,
    live.place_uuid,
    live.place_name,
    live.area_uuid,
    live.area_name,
    live.chw_uuid,
    live.appointment_on,
    live.verification_reason,
    live.verification_answered_in,
    live.verification_sender_uuid,
    live.verified_by,
    live.verified_at,
    live.traced_at,
    live.trace_form,
    live.trace_outcome
from live
