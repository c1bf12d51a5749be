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

-- sets, since no index helps and no estimate of `standing` is right
select ledger.task_id
from ledger
inner join scope
    on ledger.place_uuid = scope.place_uuid
    and ledger.definition = scope.definition
where ledger.standing = 'open'
except
select open_task.task_id
from open_task
