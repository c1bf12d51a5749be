{{ config(unique_key=['supervisor', 'task_id'], indexes=[{'columns': ['task_id']}]) }}

-- Only who sees which task; the task's columns are in the ledger.
with ledger as (
    select * from {{ ref('stored_missed_appointment') }}
),

supervisor_scope as (
    select * from {{ ref('live_supervisor_scope') }}
),

facility as (
    select * from {{ ref('live_place') }}
)

select
    supervisor_scope.supervisor,
    ledger.task_id,
    supervisor_scope.facility_uuid,
    facility.place_name as facility_name
from ledger
inner join supervisor_scope
    on ledger.place_uuid = supervisor_scope.place_uuid
    and ledger.definition = supervisor_scope.definition
left join facility
    on supervisor_scope.facility_uuid = facility.place_uuid
where ledger.standing = 'open'
