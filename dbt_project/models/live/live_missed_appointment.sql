with task as (
    select * from {{ ref('int_task_judged') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

patients_place as (
    select * from {{ ref('place') }}
),

area as (
    select * from {{ ref('place') }}
)

select
    task.task_id,
    task.task_uuid,
    task.source_id,
    task.definition,
    task.event,
    task_definition.title,
    task_definition.priority_level,
    task.state,
    task.standing,
    task.excluded_reason,
    task.flags
    || case
        when coalesce(patients_place.is_orphan or patients_place.is_deleted, true)
            then array['orphan_place']
        else '{}'::text[]
    end
    || case
        when task.standing = 'open' and exists (
            select from {{ ref('int_task_judged') }} as other
            where
                other.patient_uuid = task.patient_uuid
                and other.definition = task.definition
                and other.task_id <> task.task_id
                and other.standing = 'open'
        ) then array['duplicate_open']
        else '{}'::text[]
    end as flags,
    task.patient_uuid,
    task.place_uuid,
    patients_place.place_name,
    patients_place.area_uuid,
    area.place_name as area_name,
    area.primary_contact_uuid as chw_uuid,
    task.appointment_on,
    (select app.today()) - task.appointment_on as days_since_appointment,
    task.reported_at,
    task.opens_on,
    task.due_on,
    task.closes_on,
    task.is_timely,
    greatest((select app.today()) - task.due_on, 0) as days_overdue,
    task.resolved_by_report,
    task.resolved_by_form,
    task.resolved_at,
    task.verification_report_id,
    task.verification_round,
    task.verification_outcome,
    task.verification_visit_on,
    task.verification_reason,
    task.verified_by,
    task.verified_at
from task
inner join task_definition
    on task.definition = task_definition.name
left join patients_place
    on task.place_uuid = patients_place.place_uuid
left join area
    on patients_place.area_uuid = area.place_uuid
