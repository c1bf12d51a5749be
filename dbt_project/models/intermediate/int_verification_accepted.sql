-- Our own answers with their way to the CHT. The outbox knows under which id the CHT has the report,
-- since one of the two ways of writing leaves it to the CHT to choose one. Looked up for each answer,
-- which the offset keeps so: a join that was planned while nobody had answered yet would read the
-- whole outbox for each. No import CTE: PostgreSQL does not look into a view that has one, and would
-- sort the answers of each task to find the last.
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
cross join lateral (
    select outbox.*
    from {{ source('app', 'outbox') }} as outbox
    where outbox.verification_id = verification.verification_id
    offset 0
) as outbox
