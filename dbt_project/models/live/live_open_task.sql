with missed_appointment as (
    select * from {{ ref('live_missed_appointment') }}
),

supervisor_scope as (
    select * from {{ ref('live_supervisor_scope') }}
),

facility as (
    select * from {{ ref('place') }}
)

select
    supervisor_scope.supervisor,
    missed_appointment.task_id,
    missed_appointment.task_uuid,
    missed_appointment.source_id,
    missed_appointment.definition,
    missed_appointment.event,
    missed_appointment.report_count,
    missed_appointment.last_reported_at,
    missed_appointment.title,
    missed_appointment.priority_level,
    missed_appointment.state,
    missed_appointment.standing,
    missed_appointment.flags,
    missed_appointment.patient_uuid,
    missed_appointment.place_uuid,
    missed_appointment.place_name,
    missed_appointment.area_uuid,
    missed_appointment.area_name,
    missed_appointment.chw_uuid,
    supervisor_scope.facility_uuid,
    facility.place_name as facility_name,
    missed_appointment.appointment_on,
    missed_appointment.days_since_appointment,
    missed_appointment.reported_at,
    missed_appointment.opens_on,
    missed_appointment.due_on,
    missed_appointment.closes_on,
    missed_appointment.days_overdue
from missed_appointment
inner join supervisor_scope
    on missed_appointment.place_uuid = supervisor_scope.place_uuid
    and missed_appointment.definition = supervisor_scope.definition
left join facility
    on supervisor_scope.facility_uuid = facility.place_uuid
where missed_appointment.standing = 'open'
