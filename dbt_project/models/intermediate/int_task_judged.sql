-- In which standing and state a task is, at the moment of reading. Whether a
-- phone would know it is reckoned in wall-clock time, as phones do.
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
    judged.closes_on > (
        select
            app.worklist_now() at time zone programme.timezone
            - make_interval(days => programme.timely_past_days)
        from {{ source('app', 'programme') }} as programme
    )
    and judged.opens_on < (
        select
            app.worklist_now() at time zone programme.timezone
            + make_interval(days => programme.timely_future_days)
        from {{ source('app', 'programme') }} as programme
    ) as is_timely
from (
    select
        task.*,
        {{ standing('task') }} as standing,
        {{ standing('task', round='landed_round') }} = 'open' as is_open_as_landed
    from {{ ref('int_task_answered') }} as task
) as judged
