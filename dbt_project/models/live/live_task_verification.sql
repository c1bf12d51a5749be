-- Which verifications stand on a task's page: those that name it or another report of the same
-- appointment, the one that counts, and those that name only its patient. No import CTE: PostgreSQL
-- reads a view with one through where another query joins it.
select
    accepted.report_id::varchar,
    task.task_id,
    accepted.patient_uuid,
    accepted.appointment_on,
    accepted.round,
    accepted.outcome,
    accepted.visit_on,
    accepted.reason,
    accepted.replaces,
    'worklist' as answered_in,
    null as void_reason,
    null as sender_uuid,
    accepted.verified_by,
    accepted.verified_at,
    accepted.delivery
from {{ ref('task') }} as task
inner join {{ ref('int_verification_accepted') }} as accepted
    on accepted.task_id = any(task.answered_as)

union all

select
    landed.report_id,
    task.task_id,
    landed.patient_uuid,
    landed.appointment_on,
    landed.round,
    landed.outcome,
    landed.visit_on,
    landed.reason,
    landed.replaces,
    landed.answered_in,
    landed.void_reason,
    landed.sender_uuid,
    landed.verified_by,
    landed.verified_at,
    landed.delivery
from {{ ref('task') }} as task
inner join {{ ref('int_verification_landed') }} as landed
    on landed.task_id = any(task.answered_as)

union all

select
    landed.report_id,
    task.task_id,
    landed.patient_uuid,
    landed.appointment_on,
    landed.round,
    landed.outcome,
    landed.visit_on,
    landed.reason,
    landed.replaces,
    landed.answered_in,
    landed.void_reason,
    landed.sender_uuid,
    landed.verified_by,
    landed.verified_at,
    landed.delivery
from {{ ref('task') }} as task
inner join {{ ref('int_verification_landed') }} as landed
    on task.landed_report_id = landed.report_id
where landed.task_id <> all(task.answered_as)

union all

select
    landed.report_id,
    task.task_id,
    landed.patient_uuid,
    landed.appointment_on,
    landed.round,
    landed.outcome,
    landed.visit_on,
    landed.reason,
    landed.replaces,
    landed.answered_in,
    landed.void_reason,
    landed.sender_uuid,
    landed.verified_by,
    landed.verified_at,
    landed.delivery
from {{ ref('task') }} as task
inner join {{ ref('report') }} as report
    on task.patient_uuid = report.subject_key
    and report.form = '{{ var("verification_form") }}'
inner join {{ ref('int_verification_landed') }} as landed
    on report.uuid = landed.report_id
where
    landed.task_id is null
    and cardinality(task.answered_as) > 0
