-- Ours the moment they are accepted, and those that only the CHT knows. No import CTE, and the id of
-- one type in both parts: only then PostgreSQL asks each part for one report.
select
    accepted.report_id::varchar,
    accepted.task_id,
    accepted.patient_uuid,
    accepted.appointment_on,
    accepted.round,
    accepted.outcome,
    accepted.visit_on,
    accepted.reason,
    accepted.replaces,
    'worklist' as answered_in,
    null as void_reason,
    null as sender_uuid,
    accepted.verified_by,
    accepted.verified_at,
    accepted.delivery,
    accepted.accepted_at,
    accepted.sent_at,
    accepted.confirmed_at
from {{ ref('int_verification_accepted') }} as accepted

union all

select
    landed.report_id,
    landed.task_id,
    landed.patient_uuid,
    landed.appointment_on,
    landed.round,
    landed.outcome,
    landed.visit_on,
    landed.reason,
    landed.replaces,
    landed.answered_in,
    landed.void_reason,
    landed.sender_uuid,
    landed.verified_by,
    landed.verified_at,
    landed.delivery,
    null,
    null,
    null
from {{ ref('int_verification_landed') }} as landed
