-- Each task with the answer that counts: the highest round, ours or landed, that was not withdrawn,
-- and of two in the same round (two installations, or one made in the CHT) the later.
select
    task.*,
    {% for column in ['report_id', 'round', 'outcome', 'visit_on', 'reason'] -%}
    case when own.is_last then own.{{ column }} else task.landed_{{ column }} end
        as verification_{{ column }},
    {% endfor -%}
    case when own.is_last then own.verified_by else task.landed_verified_by end as verified_by,
    case when own.is_last then own.verified_at else task.landed_verified_at end as verified_at
from {{ ref('int_task_windowed') }} as task
left join lateral (
    select
        verification.*,
        task.landed_round is null
        or (verification.round, verification.verified_at)
        >= (task.landed_round, coalesce(task.landed_verified_at, '-infinity')) as is_last
    from {{ ref('int_verification_accepted') }} as verification
    where
        verification.task_id = task.task_id
        and verification.delivery <> 'withdrawn'
    order by verification.round desc
    limit 1
) as own
    on true
