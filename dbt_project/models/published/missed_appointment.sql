with stored as (
    select * from {{ ref('stored_missed_appointment') }}
),

publication as (
    select * from {{ moment_of('stored_missed_appointment') }} as moment
)

select
    stored.task_id,
    stored.task_uuid,
    stored.source_id,
    stored.definition,
    stored.event,
    stored.appointment_task_id,
    stored.report_count,
    stored.last_reported_at,
    stored.title,
    stored.priority_level,
    stored.state,
    stored.standing,
    stored.excluded_reason,
    stored.flags,
    stored.patient_uuid,
    stored.place_uuid,
    stored.place_name,
    stored.area_uuid,
    stored.area_name,
    stored.chw_uuid,
    stored.appointment_on,
    publication.published_on - stored.appointment_on as days_since_appointment,
    stored.reported_at,
    stored.opens_on,
    stored.due_on,
    stored.closes_on,
    stored.is_timely,
    greatest(publication.published_on - stored.due_on, 0) as days_overdue,
    stored.resolved_by_report,
    stored.resolved_by_form,
    stored.resolved_at,
    stored.verification_report_id,
    stored.verification_round,
    stored.verification_outcome,
    stored.verification_visit_on,
    stored.verification_reason,
    stored.verification_answered_in,
    stored.verification_sender_uuid,
    stored.verified_by,
    stored.verified_at,
    publication.as_of
from stored
cross join publication
