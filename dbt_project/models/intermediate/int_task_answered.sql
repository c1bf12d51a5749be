-- Each task with the answer that counts: the highest round, ours or landed, that was not withdrawn,
-- and of two in the same round (two installations, or one made in the CHT) the later. Ours count
-- for the appointment that they were given for, whichever of its reports they name.
select
    task.*,
    {% for column in ['report_id', 'round', 'outcome', 'visit_on', 'reason'] -%}
    case when own.is_last then own.{{ column }} else task.landed_{{ column }} end
        as verification_{{ column }},
    {% endfor -%}
    case when own.is_last then own.verified_by else landed.verified_by end as verified_by,
    case when own.is_last then own.verified_at else task.landed_verified_at end as verified_at,
    case when not coalesce(own.is_last, false) then task.landed_sender_uuid end
        as verification_sender_uuid,
    case
        when own.is_last or landed.verified_by is not null then 'worklist'
        when task.landed_round is not null then 'cht'
    end as verification_answered_in
from {{ ref('int_task_windowed') }} as task
left join lateral (
    select
        verification.*,
        task.landed_round is null
        or (verification.round, verification.verified_at)
        >= (task.landed_round, coalesce(task.landed_verified_at, '-infinity')) as is_last
    from {{ ref('int_verification_accepted') }} as verification
    where
        verification.task_id = any(task.answered_as)
        and verification.delivery <> 'withdrawn'
        and {{ is_about_appointment('verification', 'task') }}
    order by verification.round desc
    limit 1
) as own
    on true
left join lateral (
    select sender.verified_by
    from {{ source('app', 'outbox') }} as outbox
    cross join lateral (
        select verification.verified_by
        from {{ source('app', 'verification') }} as verification
        where
            verification.verification_id = outbox.verification_id
            and verification.round = task.landed_round
            and verification.outcome = task.landed_outcome
        offset 0
    ) as sender
    where outbox.report_id = task.landed_report_id
    limit 1
) as landed
    on true
