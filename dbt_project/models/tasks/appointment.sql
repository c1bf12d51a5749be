{{ config(
    unique_key='appointment_key',
    indexes=[
        {'columns': ['appointment_key'], 'unique': true},
        {'columns': ['subject_key']},
        {'columns': ['definition']},
        {'columns': ['run_number']},
    ],
    pre_hook="{{ delete_appointments_of_changed_subjects() }}",
) }}

-- depends_on: {{ ref('appointment_verification') }}, which is derived for the same subjects
with {{ tasks_of_changed_subjects() }},

resolved as (
    select resolved.*
    from {{ ref('int_task_resolved') }} as resolved
    {% if is_incremental() -%}
    where resolved.task_id = any(array(select task.task_id from task))
    {%- endif %}
)

-- Of several reports the earliest that is not withdrawn carries the task; the window holds those of
-- all, and a report that would still be open by itself keeps it open. No task where all are withdrawn.
select
    task.appointment_key,
    min(coalesce(task.subject_key, task.task_id)) as subject_key,
    min(task.definition) as definition,
    array_agg(task.task_id order by task.task_id) as task_ids,
    (
        array_agg(task.task_id order by task.counts_from, task.task_id)
        filter (where not task.is_withdrawn)
    )[1] as task_id,
    min(task.opens_on) filter (where not task.is_withdrawn) as opens_on,
    max(task.closes_on) filter (where not task.is_withdrawn) as closes_on,
    count(*) filter (where not task.is_withdrawn)::integer as report_count,
    max(task.reported_at) filter (where not task.is_withdrawn) as last_reported_at,
    max(task.closes_on) filter (
        where not task.is_withdrawn and resolved.task_id is null
    ) as unresolved_until,
    {% for column in ['resolved_by_report', 'resolved_by_form', 'resolved_at'] -%}
    (
        array_agg(
            resolved.{{ column }} order by resolved.resolved_at desc nulls last, task.task_id
        ) filter (where not task.is_withdrawn and resolved.task_id is not null)
    )[1] as {{ column }},
    {% endfor -%}
    {{ this_run() }} as run_number
from task
left join resolved
    on task.task_id = resolved.task_id
group by task.appointment_key
