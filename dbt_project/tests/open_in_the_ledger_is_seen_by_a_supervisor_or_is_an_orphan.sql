-- What is open is on somebody's list, or the programme officer finds it flagged.
with ledger as (
    select * from {{ ref('live_missed_appointment') }}
),

open_task as (
    select * from {{ ref('live_open_task') }}
),

scope as (
    select * from {{ ref('live_supervisor_scope') }}
)

select ledger.task_id
from ledger
where
    ledger.standing = 'open'
    and not exists (select from open_task where open_task.task_id = ledger.task_id)
    and exists (select from scope where scope.place_uuid = ledger.place_uuid
        and scope.definition = ledger.definition)
