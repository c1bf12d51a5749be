with seen as (
    select * from {{ ref('stored_open_task') }}
),

ledger as (
    select * from {{ ref('stored_missed_appointment') }}
),

publication as (
    select * from {{ moment_of('stored_missed_appointment') }} as moment
)

select
    seen.supervisor,
    ledger.task_id,
    ledger.task_uuid,
    ledger.source_id,
    ledger.definition,
    ledger.event,
    ledger.report_count,
    ledger.last_reported_at,
    ledger.title,
    ledger.priority_level,
    ledger.state,
    ledger.standing,
    ledger.flags,
    ledger.patient_uuid,
    ledger.place_uuid,
    ledger.place_name,
    ledger.area_uuid,
    ledger.area_name,
    ledger.chw_uuid,
    seen.facility_uuid,
    seen.facility_name,
    ledger.appointment_on,
    publication.published_on - ledger.appointment_on as days_since_appointment,
    ledger.reported_at,
    ledger.opens_on,
    ledger.due_on,
    ledger.closes_on,
    greatest(publication.published_on - ledger.due_on, 0) as days_overdue,
    publication.as_of
from seen
inner join ledger
    on seen.task_id = ledger.task_id
    and ledger.standing = 'open'
cross join publication
