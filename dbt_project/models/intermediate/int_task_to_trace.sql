-- Tasks whose patient somebody still has to look for: confirmed as missed by an answer that counts,
-- for a reason for which somebody goes; nothing shows that the patient came, and nobody went since.
select task.*
from {{ ref('int_task_standing') }} as task
inner join {{ source('app', 'task_definition') }} as task_definition
    on task.definition = task_definition.name
where
    task.standing = 'verified'
    and task.verification_outcome = 'not_visited'
    and task.patient_uuid is not null
    and task.excluded_reason is null
    and task.resolved_by_report is null
    -- sent again since or not
    and not coalesce(task.last_resolved_at > task.verified_at, false)
    and not coalesce(
        task.verification_reason = any(task_definition.reasons_not_to_trace), false
    )
    and not exists (
        select from {{ ref('live_patient_trace') }} as trace
        where
            trace.patient_uuid = task.patient_uuid
            and trace.definition = task.definition
            and trace.traced_at > task.verified_at
    )
    -- of the same appointment another event may ask too
    and not exists (
        select from {{ ref('int_task_standing') }} as other
        where
            other.patient_uuid = task.patient_uuid
            and other.definition = task.definition
            and other.appointment_on = task.appointment_on
            and other.verification_outcome = 'visited'
            and not other.is_withdrawn
    )
