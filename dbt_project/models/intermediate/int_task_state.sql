-- Every task as it is shown: with its state, the days counted to today, and what is odd about it.
select
    task.task_id,
    task.task_uuid,
    task.source_id,
    task.definition,
    task.event,
    task.appointment_task_id,
    task.report_count,
    task.last_reported_at,
    case task.standing
        when 'upcoming' then 'Draft'
        when 'open' then 'Ready'
        when 'expired' then 'Failed'
        when 'verified' then 'Completed'
        when 'resolved' then 'Completed'
        else 'Cancelled'
    end as state,
    task.standing,
    task.is_open_as_landed,
    task.is_withdrawn,
    task.excluded_reason,
    case
        when task.verification_round is null then task.flags
        else array_remove(task.flags, 'appointment_changed')
    end
    || case
        when task.standing = 'open' and exists (
            select from {{ ref('int_task_standing') }} as other
            where
                other.patient_uuid = task.patient_uuid
                and other.definition = task.definition
                and other.task_id <> task.task_id
                and coalesce(other.appointment_on <> task.appointment_on, true)
                and other.standing = 'open'
        ) then array['duplicate_open']
        else '{}'::text[]
    end
    || case
        when
            task.verification_round is null
            and not 'appointment_changed' = any(task.flags)
            and exists (
                select from {{ ref('int_verification_from_worklist') }} as verification
                where
                    verification.task_id = task.task_id
                    and verification.delivery <> 'withdrawn'
                    and not ({{ is_about_appointment('verification', 'task') }})
            )
            then array['appointment_changed']
        else '{}'::text[]
    end as flags,
    task.patient_uuid,
    task.patient_name,
    task.patient_id,
    task.reported_patient_uuid,
    task.phone,
    task.sex,
    task.date_of_birth,
    task.place_uuid,
    task.place_name,
    task.area_uuid,
    task.area_name,
    task.chw_uuid,
    task.chw_name,
    task.appointment_on,
    task.today - task.appointment_on as days_since_appointment,
    task.reported_at,
    task.opens_on,
    task.due_on,
    task.closes_on,
    -- whether a phone would know it, by the wall clock as phones do
    task.closes_on > (
        select
            app.worklist_now() at time zone programme.timezone
            - make_interval(days => programme.timely_past_days)
        from {{ source('app', 'programme') }} as programme
    )
    and task.opens_on < (
        select
            app.worklist_now() at time zone programme.timezone
            + make_interval(days => programme.timely_future_days)
        from {{ source('app', 'programme') }} as programme
    ) as is_timely,
    greatest(task.today - task.due_on, 0) as days_overdue,
    task.closes_on - task.today as days_left,
    task.resolved_by_report,
    task.resolved_by_form,
    task.resolved_at,
    task.verification_report_id,
    task.verification_round,
    task.verification_outcome,
    task.verification_visit_on,
    task.verification_reason,
    task.verification_answered_in,
    task.verification_sender_uuid,
    task.verified_by,
    task.verified_at,
    greatest(
        0,
        (
            select max(verification.round)
            from {{ source('app', 'verification') }} as verification
            where verification.task_id = any(task.answered_as)
        ),
        task.landed_last_round
    ) as last_round
from {{ ref('int_task_standing') }} as task
