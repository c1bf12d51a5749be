with missed_appointment as (
    select * from {{ ref('live_missed_appointment') }}
),

report as (
    select * from {{ ref('report') }}
),

confirmed as (
    select distinct on (missed_appointment.patient_uuid)
        missed_appointment.*
    from missed_appointment
    where
        missed_appointment.verification_outcome = 'not_visited'
        and missed_appointment.patient_uuid is not null
        and missed_appointment.excluded_reason is null
        and coalesce(missed_appointment.verification_reason, '') not in (
            '{{ var("reasons_not_to_trace") | join("', '") }}'
        )
    order by missed_appointment.patient_uuid, missed_appointment.verified_at desc,
        missed_appointment.task_id
)

select
    confirmed.patient_uuid,
    confirmed.task_id,
    confirmed.task_uuid,
    confirmed.definition,
    confirmed.place_uuid,
    confirmed.place_name,
    confirmed.area_uuid,
    confirmed.area_name,
    confirmed.chw_uuid,
    confirmed.appointment_on,
    confirmed.days_since_appointment,
    confirmed.verification_reason,
    confirmed.verified_by,
    confirmed.verified_at
from confirmed
where not exists (
    select from report
    where
        report.subject_key = confirmed.patient_uuid
        and report.form in ('{{ var("tracing_forms") | join("', '") }}')
        and report.reported_at > confirmed.verified_at
        and not report.is_deleted
)
