-- Each task with the answer that counts: the highest round, ours or landed, that was not withdrawn.
with task as (
    select * from {{ ref('int_task_windowed') }}
),

verification as (
    select * from {{ source('app', 'verification') }}
),

outbox as (
    select * from {{ source('app', 'outbox') }}
)

select
    task.*,
    {% for column in ['report_id', 'round', 'outcome', 'visit_on', 'reason'] -%}
    case
        when own.round >= coalesce(task.landed_round, 0) then own.{{ column }}
        else task.landed_{{ column }}
    end as verification_{{ column }},
    {% endfor -%}
    case
        when own.round >= coalesce(task.landed_round, 0) then own.verified_by
        else task.landed_verified_by
    end as verified_by,
    case
        when own.round >= coalesce(task.landed_round, 0) then own.verified_at
        else task.landed_verified_at
    end as verified_at
from task
left join lateral (
    select verification.*
    from verification
    inner join outbox
        on verification.verification_id = outbox.verification_id
    where
        verification.task_id = task.task_id
        and outbox.state <> 'withdrawn'
    order by verification.round desc
    limit 1
) as own
    on true
