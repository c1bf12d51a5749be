-- Of several confirmed tasks of a patient the last that was confirmed.
select
    task.patient_uuid,
    task.task_id,
    task.task_uuid,
    task.definition,
    task.place_uuid,
    task.place_name,
    task.area_uuid,
    task.area_name,
    task.chw_uuid,
    task.appointment_on,
    task.today - task.appointment_on as days_since_appointment,
    task.verification_reason,
    task.verification_answered_in,
    task.verification_sender_uuid,
    task.verified_by,
    task.verified_at,
    last_trace.traced_at,
    last_trace.trace_form,
    last_trace.trace_outcome
from {{ ref('int_task_to_trace') }} as task
left join lateral (
    select trace.*
    from {{ ref('live_patient_trace') }} as trace
    where
        trace.patient_uuid = task.patient_uuid
        and trace.definition = task.definition
        and trace.traced_at >= coalesce(
            app.local_midnight(task.appointment_on, app.programme_zone()), task.reported_at
        )
    order by trace.traced_at desc, trace.report_uuid
    limit 1
) as last_trace
    on true
where not exists (
    select from {{ ref('int_task_to_trace') }} as later
    where
        later.patient_uuid = task.patient_uuid
        and (coalesce(later.verified_at, '-infinity'), task.task_id)
        > (coalesce(task.verified_at, '-infinity'), later.task_id)
)
