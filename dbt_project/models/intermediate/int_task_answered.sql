-- Each task with the answer that counts: the highest round, ours or landed, that was not withdrawn.
with task as (
    select * from {{ ref('task') }}
),

verification as (
    select * from {{ source('app', 'verification') }}
),

outbox as (
    select * from {{ source('app', 'outbox') }}
),

own as (
    select
        verification.*,
        not exists (
            select from verification as later
            inner join outbox as later_outbox
                on later.verification_id = later_outbox.verification_id
            where
                later.task_id = verification.task_id
                and later.round > verification.round
                and later_outbox.state <> 'withdrawn'
        ) as is_latest
    from verification
    inner join outbox
        on verification.verification_id = outbox.verification_id
    where outbox.state <> 'withdrawn'
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
left join own
    on task.task_id = own.task_id
    and own.is_latest
