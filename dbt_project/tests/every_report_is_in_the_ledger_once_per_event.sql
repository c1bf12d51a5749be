-- None skipped: each report that a definition applies to, times its events, is a row of the ledger.
with expected as (
    select stg_task_source.task_id
    from {{ ref('stg_task_source') }} as stg_task_source
),

ledger as (
    select missed_appointment.task_id
    from {{ ref('live_missed_appointment') }} as missed_appointment
)

select coalesce(expected.task_id, ledger.task_id) as task_id
from expected
full outer join ledger
    on expected.task_id = ledger.task_id
where
    expected.task_id is null
    or ledger.task_id is null
