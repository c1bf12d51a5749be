-- Only what is asked of it is computed: each patient's confirmations and reports are looked up by
-- key. Of several the last that was confirmed. The offsets keep PostgreSQL from reading all of them
-- through for one site.
with missed_appointment as (
    select * from {{ ref('live_missed_appointment') }}
),

waiting as not materialized (
    select * from {{ ref('int_task_to_trace') }}
)

select
    waiting.patient_uuid,
    waiting.task_id,
    missed_appointment.task_uuid,
    missed_appointment.definition,
    missed_appointment.place_uuid,
    missed_appointment.place_name,
    missed_appointment.area_uuid,
    missed_appointment.area_name,
    missed_appointment.chw_uuid,
    missed_appointment.appointment_on,
    missed_appointment.days_since_appointment,
    missed_appointment.verification_reason,
    missed_appointment.verification_answered_in,
    missed_appointment.verification_sender_uuid,
    missed_appointment.verified_by,
    missed_appointment.verified_at,
    last_trace.traced_at,
    last_trace.trace_form,
    last_trace.trace_outcome
from waiting
inner join missed_appointment
    on waiting.task_id = missed_appointment.task_id
left join lateral (
    select trace.*
    from {{ ref('live_patient_trace') }} as trace
    where
        trace.patient_uuid = waiting.patient_uuid
        and trace.definition = missed_appointment.definition
        and trace.traced_at >= coalesce(
            app.local_midnight(missed_appointment.appointment_on, app.programme_zone()),
            missed_appointment.reported_at
        )
    order by trace.traced_at desc, trace.report_uuid
    limit 1
) as last_trace
    on true
where not exists (
    select from waiting as later
    where
        later.patient_uuid = waiting.patient_uuid
        and (coalesce(later.verified_at, '-infinity'), waiting.task_id)
        > (coalesce(waiting.verified_at, '-infinity'), later.task_id)
    offset 0
)
