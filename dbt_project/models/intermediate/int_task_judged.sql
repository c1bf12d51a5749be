-- The one place that says in which standing and state a task is, at the moment of reading.
with task as (
    select * from {{ ref('int_task_answered') }}
),

judged as (
    select
        task.*,
        case
            when task.verification_round is not null
                or task.resolved_by_form = '{{ var("verification_form") }}'
                then 'verified'
            when task.is_withdrawn then 'withdrawn'
            when task.excluded_reason is not null then 'excluded'
            when task.resolved_by_report is not null then 'resolved'
            when task.opens_on > (select app.today()) then 'upcoming'
            when task.closes_on < (select app.today()) then 'expired'
            else 'open'
        end as standing
    from task
)

select
    judged.*,
    case judged.standing
        when 'upcoming' then 'Draft'
        when 'open' then 'Ready'
        when 'expired' then 'Failed'
        when 'verified' then 'Completed'
        when 'resolved' then 'Completed'
        else 'Cancelled'
    end as state
from judged
