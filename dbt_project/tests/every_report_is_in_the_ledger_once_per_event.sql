-- None skipped: each report that a definition applies to, times its events, is a row of the ledger.
-- Of what was deleted and not kept, only the ledger remembers.
with expected as (
    select stg_task_candidate.task_id
    from {{ ref('stg_task_candidate') }} as stg_task_candidate
),

ledger as (
    select
        missed_appointment.task_id,
        missed_appointment.source_id,
        missed_appointment.standing
    from {{ ref('live_missed_appointment') }} as missed_appointment
)

select coalesce(expected.task_id, ledger.task_id) as task_id
from expected
full outer join ledger
    on expected.task_id = ledger.task_id
where
    ledger.task_id is null
    or (
        expected.task_id is null
        and not (
            ledger.standing = 'withdrawn'
            and exists (
                select from {{ ref('stg_document') }} as stg_document
                where
                    stg_document.uuid = ledger.source_id
                    and stg_document.is_forgotten
            )
        )
    )
