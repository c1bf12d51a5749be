-- Tasks of contacts without a date, which count from the day of reading: their window, and what
-- resolves them in it.
select
    task.task_id,
    due.on_day - task_event.start_days as opens_on,
    due.on_day as due_on,
    due.on_day + task_event.end_days as closes_on,
    resolved.resolved_by_report,
    resolved.resolved_by_form,
    resolved.resolved_at
from {{ ref('task') }} as task
cross join app.today() as reading (today)
inner join {{ source('app', 'task_event') }} as task_event
    on task.definition = task_event.definition
    and task.event = task_event.event
cross join lateral (select reading.today + coalesce(task_event.days, 0) as on_day) as due
left join lateral (
    select
        report.uuid as resolved_by_report,
        report.form as resolved_by_form,
        report.reported_at as resolved_at
    from {{ ref('report') }} as report
    inner join {{ source('app', 'task_resolver') }} as task_resolver
        on report.form = task_resolver.form
        and task_resolver.is_default
    where
        task_resolver.definition = task.definition
        and task_resolver.form <> '{{ var("verification_form") }}'
        and report.subject_key = task.patient_uuid
        and not report.is_deleted
        and not report.is_flagged_deleted
        and coalesce(report.named_task_id, task.task_id) = task.task_id
        and report.reported_at
            between app.local_midnight(due.on_day - task_event.start_days, app.programme_zone())
            and app.local_midnight(due.on_day + task_event.end_days + 1, app.programme_zone())
    order by report.reported_at, report.uuid
    limit 1
) as resolved
    on true
where task.known_due_on is null
