-- Answers accepted here, with their delivery to the CHT. The outbox knows the id that the CHT has the
-- report under, which may have been chosen by the CHT.
select
    verification.verification_id,
    outbox.report_id::varchar as report_id,
    verification.task_id,
    verification.patient_uuid,
    verification.appointment_on,
    verification.round,
    verification.outcome,
    verification.visit_on,
    verification.reason,
    verification.replaces,
    'worklist' as answered_in,
    null::text as void_reason,
    null::text as sender_uuid,
    verification.verified_by,
    verification.verified_at,
    outbox.state as delivery,
    outbox.accepted_at,
    outbox.sent_at,
    outbox.confirmed_at
from {{ source('app', 'verification') }} as verification
inner join {{ source('app', 'outbox') }} as outbox
    on verification.verification_id = outbox.verification_id
