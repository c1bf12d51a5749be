{#- A row per supervisor and day, four weeks back from today, from a history of tasks. -#}
{% macro supervisor_workload(history) %}
with history as (
    select * from {{ history }}
),

supervisor_scope as (
    select * from {{ ref('live_supervisor_scope') }}
),

user_account as (
    select * from {{ ref('live_user_account') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
),

day as (
    select day.moment::date as day
    from generate_series(
        (select app.today()) - 27, (select app.today()), interval '1 day'
    ) as day (moment)
),

task as (
    select
        supervisor_scope.supervisor,
        history.*,
        (history.answered_at at time zone programme.timezone)::date as answered_on
    from history
    cross join programme
    inner join supervisor_scope
        on history.place_uuid = supervisor_scope.place_uuid
        and history.definition = supervisor_scope.definition
    where history.standing not in ('repeated', 'withdrawn', 'excluded')
),

supervisor as (
    select
        user_account.user_name as supervisor,
        user_account.contact_uuid
    from user_account
    where exists (
        select from supervisor_scope
        where supervisor_scope.supervisor = user_account.user_name
    )
)

select
    supervisor.supervisor,
    day.day,
    count(*) filter (
        where day.day between task.opens_on and task.closes_on
        and coalesce(task.answered_on > day.day, true)
    ) as open_count,
    count(*) filter (where task.opens_on = day.day) as new_count,
    count(*) filter (
        where task.answered_on = day.day
        and (
            task.verified_by = supervisor.supervisor
            or task.verification_sender_uuid = supervisor.contact_uuid
        )
    ) as verified_count,
    count(*) filter (
        where day.day > task.due_on and day.day <= task.closes_on
        and coalesce(task.answered_on > day.day, true)
    ) as overdue_count,
    percentile_cont(0.5) within group (order by task.hours_to_answer) filter (
        where task.answered_on = day.day
        and (
            task.verified_by = supervisor.supervisor
            or task.verification_sender_uuid = supervisor.contact_uuid
        )
    ) as median_hours_to_verify
from supervisor
cross join day
left join task
    on supervisor.supervisor = task.supervisor
    and task.opens_on <= day.day
    and greatest(task.closes_on, task.answered_on) >= day.day
group by supervisor.supervisor, day.day
{% endmacro %}
