with missed_appointment as (
    select * from {{ ref('live_missed_appointment') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
)

select
    missed_appointment.task_id,
    missed_appointment.task_uuid,
    missed_appointment.source_id,
    missed_appointment.definition,
    missed_appointment.state,
    missed_appointment.standing,
    missed_appointment.patient_uuid,
    missed_appointment.place_uuid,
    missed_appointment.area_uuid,
    missed_appointment.reported_at,
    missed_appointment.opens_on,
    missed_appointment.due_on,
    missed_appointment.closes_on,
    coalesce(missed_appointment.verified_at, missed_appointment.resolved_at) as answered_at,
    missed_appointment.verified_by,
    missed_appointment.verification_outcome,
    missed_appointment.verification_round,
    round((
        extract(epoch from (
            coalesce(missed_appointment.verified_at, missed_appointment.resolved_at)
            - app.local_midnight(missed_appointment.opens_on, programme.timezone)
        )) / 3600
    )::numeric, 1) as hours_to_answer
from missed_appointment
cross join programme
