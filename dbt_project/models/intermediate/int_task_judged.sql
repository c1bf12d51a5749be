-- The one place that says in which standing and state a task is, at the moment of reading.
with task as (
    select * from {{ ref('int_task_answered') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
),

-- wall-clock time, as a phone reckons
limits as (
    select
        moment.local_now - make_interval(days => programme.timely_past_days) as ended_after,
        moment.local_now + make_interval(days => programme.timely_future_days) as starts_before
    from programme
    cross join lateral (
        select app.worklist_now() at time zone programme.timezone as local_now
    ) as moment
),

judged as (
    select
        task.*,
        case
            when task.verification_round is not null then 'verified'
            when task.is_withdrawn and task.resolved_by_report is null then 'withdrawn'
            when task.excluded_reason is not null then 'excluded'
            when task.resolved_by_form = '{{ var("verification_form") }}' then 'verified'
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
    end as state,
    judged.closes_on > (select limits.ended_after from limits)
        and judged.opens_on < (select limits.starts_before from limits) as is_timely
from judged
