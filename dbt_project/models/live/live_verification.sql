-- Ours the moment they are accepted, and those that only the CHT knows.
{% for known in [ref('int_verification_from_worklist'), ref('int_verification_from_cht')] -%}
select
    verification.report_id,
    verification.task_id,
    verification.patient_uuid,
    verification.appointment_on,
    verification.round,
    verification.outcome,
    verification.visit_on,
    verification.reason,
    verification.replaces,
    verification.answered_in,
    verification.void_reason,
    verification.sender_uuid,
    verification.verified_by,
    verification.verified_at,
    verification.delivery,
    verification.accepted_at,
    verification.sent_at,
    verification.confirmed_at
from {{ known }} as verification
{{ 'union all\n' if not loop.last }}
{%- endfor %}
