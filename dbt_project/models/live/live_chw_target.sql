with document as (
    select * from {{ ref('chw_target_document') }}
),

user_account as (
    select * from {{ ref('user_account') }}
),

goal as (
    select * from {{ ref('stg_target_goal') }}
)

select
    document.uuid as chw_target_uuid,
    document.target,
    document.chw_uuid,
    user_account.user_name as chw_user,
    document.reporting_period,
    document.pass_count,
    document.total_count,
    document.percent,
    nullif(greatest(goal.goal, 0), 0) as goal,
    case
        when coalesce(goal.goal, 0) <= 0 then null
        when goal.target_type = 'percent' then document.percent >= goal.goal
        else document.pass_count >= goal.goal
    end as is_goal_met,
    document.updated_at
from document
left join user_account
    on document.user_uuid = user_account.uuid
left join goal
    on document.target = goal.target
where not document.is_deleted
