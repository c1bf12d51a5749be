-- Which verifications a task's page shows: those that name it or another report of the same
-- appointment, the one that counts, and those that name only its patient.
{% set columns = [
    'report_id', 'patient_uuid', 'appointment_on', 'round', 'outcome', 'visit_on', 'reason',
    'replaces', 'answered_in', 'void_reason', 'sender_uuid', 'verified_by', 'verified_at', 'delivery'
] -%}
{% for known in [ref('int_verification_from_worklist'), ref('int_verification_from_cht')] -%}
select
    task.task_id,
    {% for column in columns -%}
    verification.{{ column }}{{ ',' if not loop.last }}
    {% endfor -%}
from {{ ref('task') }} as task
inner join {{ known }} as verification
    on verification.task_id = any(task.answered_as)

union all

{% endfor -%}
select
    task.task_id,
    {% for column in columns -%}
    verification.{{ column }}{{ ',' if not loop.last }}
    {% endfor -%}
from {{ ref('task') }} as task
inner join {{ ref('int_verification_from_cht') }} as verification
    on task.landed_report_id = verification.report_id
where verification.task_id <> all(task.answered_as)

union all

select
    task.task_id,
    {% for column in columns -%}
    verification.{{ column }}{{ ',' if not loop.last }}
    {% endfor -%}
from {{ ref('task') }} as task
inner join {{ ref('report') }} as report
    on task.patient_uuid = report.subject_key
    and report.form = '{{ var("verification_form") }}'
inner join {{ ref('int_verification_from_cht') }} as verification
    on report.uuid = verification.report_id
where
    verification.task_id is null
    and cardinality(task.answered_as) > 0
