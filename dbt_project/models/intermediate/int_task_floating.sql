-- Tasks whose window slides with the day of reading, since their contact says no date: when they
-- open, are due and close today, and what resolves them in that window.
with task as (
    select * from {{ ref('task') }}
),

report as (
    select * from {{ ref('report') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

task_event as (
    select * from {{ source('app', 'task_event') }}
),

due as not materialized (
    select
        task.task_id,
        task.subject_key,
        task.definition,
        (select app.today()) + coalesce(task_event.days, 0) as due_on,
        task_event.start_days,
        task_event.end_days
    from task
    inner join task_event
        on task.definition = task_event.definition
        and task.event = task_event.event
    where task.due_on is null
),

resolved as (
    select distinct on (due.task_id)
        due.task_id,
        report.uuid as resolved_by_report,
        report.form as resolved_by_form,
        report.reported_at as resolved_at
    from due
    inner join task_definition
        on due.definition = task_definition.name
        and task_definition.is_resolved_by_default
    inner join report
        on due.subject_key = report.subject_key
        and task_definition.default_form = report.form
        and not report.is_deleted
        and not report.is_flagged_deleted
        and coalesce(report.named_task_id, due.task_id) = due.task_id
        and report.reported_at
            between app.local_midnight(due.due_on - due.start_days, app.programme_zone())
            and app.local_midnight(due.due_on + due.end_days + 1, app.programme_zone())
    order by due.task_id, report.reported_at, report.uuid
)

select
    due.task_id,
    due.due_on - due.start_days as opens_on,
    due.due_on,
    due.due_on + due.end_days as closes_on,
    resolved.resolved_by_report,
    resolved.resolved_by_form,
    resolved.resolved_at
from due
left join resolved
    on due.task_id = resolved.task_id
