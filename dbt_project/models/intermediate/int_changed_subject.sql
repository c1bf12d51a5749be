-- Patients whose appointments something changed for since `appointment` was last refreshed, now or
-- before: a report, a task's source or definition, a verification. Where the patient is unknown, the
-- reference where no contact matches it, else the task.
with changed_report as (
    select report.*
    from {{ ref('report') }} as report
    where {{ written_since('appointment', 'report.run_number') }}
),

-- a report of the form may have changed whom it is about without having changed itself
changed_verification as (
    select verification_report.*
    from {{ ref('verification_report') }} as verification_report
    where {{ written_since('appointment', 'verification_report.run_number') }}
    union
    select verification_report.*
    from {{ ref('verification_report') }} as verification_report
    where verification_report.report_id = any(array(
        select changed_report.uuid
        from changed_report
        where changed_report.form = '{{ var("verification_form") }}'
    ))
)

select changed_report.subject_key
from changed_report

union

select jsonb_array_elements_text(changed_report.former_keys)
from changed_report

union

select report.subject_key
from {{ ref('report') }} as report
where report.uuid = any(array(select changed_verification.report_id from changed_verification))

union

select coalesce(task.subject_key, task.task_id)
from {{ ref('reported_task') }} as task
where {{ written_since('appointment', 'task.run_number') }}

union

select coalesce(task.subject_key, task.task_id)
from {{ ref('reported_task') }} as task
where task.task_id = any(array(
    select changed_verification.task_id from changed_verification
    union
    select jsonb_array_elements_text(changed_verification.former_task_ids)
    from changed_verification
))
