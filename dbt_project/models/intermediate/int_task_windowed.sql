-- Every task with its window at the moment of reading.
with task as (
    select * from {{ ref('task') }}
),

floating as (
    select * from {{ ref('int_task_floating') }}
)

select
    task.task_id,
    task.task_uuid,
    task.source_id,
    task.definition,
    task.event,
    task.reported_at,
    task.subject_key,
    task.patient_uuid,
    task.sender_uuid,
    task.place_uuid,
    task.appointment_on,
    coalesce(task.opens_on, floating.opens_on) as opens_on,
    coalesce(task.due_on, floating.due_on) as due_on,
    coalesce(task.closes_on, floating.closes_on) as closes_on,
    task.flags,
    task.is_withdrawn,
    task.excluded_reason,
    coalesce(task.resolved_by_report, floating.resolved_by_report) as resolved_by_report,
    coalesce(task.resolved_by_form, floating.resolved_by_form) as resolved_by_form,
    coalesce(task.resolved_at, floating.resolved_at) as resolved_at,
    {% for column in [
        'report_id', 'round', 'outcome', 'visit_on', 'reason', 'verified_by', 'verified_at'
    ] -%}
    task.landed_{{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from task
-- for one task at a time, and only where the window floats: whoever reads a few tasks pays for few
left join lateral (
    select floating.*
    from floating
    where
        floating.task_id = task.task_id
        and task.due_on is null
) as floating
    on true
