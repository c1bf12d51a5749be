-- Ours the moment they are accepted, and those that only the CHT knows, such as ones made there.
-- Copies of one report count once. Ours are looked up for each of theirs (int_verification_accepted).
with verification_report as not materialized (
    select * from {{ ref('verification_report') }}
)

select
    verification.report_id,
    verification.task_id,
    verification.round,
    verification.outcome,
    verification.visit_on,
    verification.reason,
    verification.replaces,
    verification.verified_by,
    verification.verified_at,
    verification.delivery,
    verification.accepted_at,
    verification.sent_at,
    verification.confirmed_at
from {{ ref('int_verification_accepted') }} as verification

union all

select
    verification_report.report_id,
    verification_report.task_id,
    verification_report.round,
    verification_report.outcome,
    verification_report.visit_on,
    verification_report.reason,
    verification_report.replaces,
    verification_report.verified_by,
    verification_report.verified_at,
    case when verification_report.is_void then 'withdrawn' else 'landed' end as delivery,
    null as accepted_at,
    null as sent_at,
    null as confirmed_at
from verification_report
where
    verification_report.outcome in ('visited', 'not_visited')
    and not exists (
        select from {{ source('app', 'outbox') }} as own
        where own.report_id = verification_report.report_id
        offset 0
    )
    and not exists (
        select from {{ source('app', 'verification') }} as own
        where
            own.task_id = verification_report.task_id
            and own.round = verification_report.round
            and own.verification_id::text = verification_report.verification_id
        offset 0
    )
    and not exists (
        select from verification_report as copy
        where
            copy.task_id = verification_report.task_id
            and copy.round = verification_report.round
            and copy.verification_id = verification_report.verification_id
            and (copy.is_void, copy.report_id)
            < (verification_report.is_void, verification_report.report_id)
    )
