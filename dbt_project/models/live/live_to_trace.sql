-- Only what is asked of it is computed: each patient's confirmations and reports are looked up by key.
-- The offsets keep PostgreSQL from reading all of them through for one site.
with missed_appointment as (
    select * from {{ ref('live_missed_appointment') }}
),

report as (
    select * from {{ ref('report') }}
),

confirmed as (
    select missed_appointment.*
    from missed_appointment
    where
        {{ is_to_trace('missed_appointment') }}
        and missed_appointment.patient_uuid is not null
        and not exists (
            select from {{ ref('int_task_judged') }} as later
            where
                later.patient_uuid = missed_appointment.patient_uuid
                and {{ is_to_trace('later') }}
                and (
                    coalesce(later.verified_at, '-infinity'),
                    missed_appointment.task_id
                ) > (
                    coalesce(missed_appointment.verified_at, '-infinity'),
                    later.task_id
                )
            offset 0
        )
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
    offset 0
)
