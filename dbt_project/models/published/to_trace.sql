with stored as (
    select * from {{ ref('stored_to_trace') }}
),

publication as (
    select * from {{ moment_of('stored_to_trace') }} as moment
)

select
    stored.patient_uuid,
    stored.task_id,
    stored.task_uuid,
    stored.definition,
    stored.place_uuid,
    stored.place_name,
    stored.area_uuid,
    stored.area_name,
    stored.chw_uuid,
    stored.appointment_on,
    publication.published_on - stored.appointment_on as days_since_appointment,
    stored.verification_reason,
    stored.verification_answered_in,
    stored.verification_sender_uuid,
    stored.verified_by,
    stored.verified_at,
    stored.traced_at,
    stored.trace_form,
    stored.trace_outcome,
    publication.as_of
from stored
cross join publication
