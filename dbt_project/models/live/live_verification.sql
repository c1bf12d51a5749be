-- Ours the moment they are accepted, and those that only the CHT knows, such as ones made there.
with verification as (
    select * from {{ source('app', 'verification') }}
),

outbox as (
    select * from {{ source('app', 'outbox') }}
),

verification_report as (
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
    outbox.state as delivery,
    outbox.accepted_at,
    outbox.sent_at,
    outbox.confirmed_at
from verification
inner join outbox
    on verification.verification_id = outbox.verification_id

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
    'landed' as delivery,
    null as accepted_at,
    null as sent_at,
    null as confirmed_at
from verification_report
where
    not verification_report.is_void
    and not exists (
        select from {{ source('app', 'verification') }} as own
        where own.report_id = verification_report.report_id
    )
