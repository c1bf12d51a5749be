-- Every task with its window at the moment of reading. It slides with the day where the contact says
-- no date, and with it what resolves the task: both are looked up for such a task alone, and whoever
-- reads a few tasks pays for few. No import CTE here nor in the views above: PostgreSQL does not look
-- into a view that has one, and would describe every task to show the first twenty.
select
    task.task_id,
    task.task_uuid,
    task.source_id,
    task.definition,
    task.event,
    task.appointment_task_id,
    task.answered_as,
    task.report_count,
    task.last_reported_at,
    task.reported_at,
    task.patient_uuid,
    task.patient_name,
    task.patient_id,
    task.reported_patient_uuid,
    task.phone,
    task.sex,
    task.date_of_birth,
    task.place_uuid,
    task.place_name,
    task.area_uuid,
    task.area_name,
    task.chw_uuid,
    task.chw_name,
    task.appointment_on,
    reading.today,
    coalesce(task.opens_on, floating.opens_on) as opens_on,
    coalesce(task.due_on, floating.due_on) as due_on,
    coalesce(task.closes_on, floating.closes_on) as closes_on,
    task.flags,
    task.is_withdrawn,
    task.excluded_reason,
    task.resolved_at as last_resolved_at,
    {% for column in ['resolved_by_report', 'resolved_by_form', 'resolved_at'] -%}
    case
        when coalesce(task.unresolved_until < reading.today, true)
            then coalesce(task.{{ column }}, floating.{{ column }})
    end as {{ column }},
    {% endfor -%}
    {% for column in [
        'report_id', 'round', 'outcome', 'visit_on', 'reason', 'sender_uuid', 'verified_at',
        'last_round'
    ] -%}
    task.landed_{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ ref('task') }} as task
-- the offset keeps it one value: without, every mention of it is computed for itself
cross join (select app.today() as today offset 0) as reading
left join lateral (
    select
        due.opens_on,
        due.due_on,
        due.closes_on,
        resolved.*
    from {{ source('app', 'task_event') }} as task_event
    cross join lateral (
        select
            reading.today + coalesce(task_event.days, 0) - task_event.start_days as opens_on,
            reading.today + coalesce(task_event.days, 0) as due_on,
            reading.today + coalesce(task_event.days, 0) + task_event.end_days as closes_on
    ) as due
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
                between app.local_midnight(due.opens_on, app.programme_zone())
                and app.local_midnight(due.closes_on + 1, app.programme_zone())
        order by report.reported_at, report.uuid
        limit 1
    ) as resolved
        on true
    where
        task.due_on is null
        and task_event.definition = task.definition
        and task_event.event = task.event
    limit 1
) as floating
    on true
