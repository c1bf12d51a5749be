-- Which verifications stand on a task's page: those that name it or another report of the same
-- appointment, the one that counts, and those that name only its patient.
with task as not materialized (
    select * from {{ ref('task') }}
),

verification as not materialized (
    select * from {{ ref('live_verification') }}
),

shown as (
    select
        task.task_id,
        named.report_id
    from task
    cross join lateral (
        select verification.report_id
        from verification
        where verification.task_id = any(task.answered_as)
    ) as named
    union
    select
        task.task_id,
        task.landed_report_id
    from task
    where task.landed_report_id is not null
    union
    select
        task.task_id,
        report.uuid
    from task
    inner join {{ ref('report') }} as report
        on task.patient_uuid = report.subject_key
        and report.form = '{{ var("verification_form") }}'
    inner join {{ ref('verification_report') }} as verification_report
        on report.uuid = verification_report.report_id
    where
        verification_report.task_id is null
        and cardinality(task.answered_as) > 0
)

select
    shown.task_id,
    verification.report_id,
    verification.patient_uuid,
    verification.appointment_on,
    verification.round,
    verification.outcome,
    verification.visit_on,
    verification.reason,
    verification.replaces,
    verification.answered_in,
    verification.void_reason,
    verification.sender_uuid,
    verification.verified_by,
    verification.verified_at,
    verification.delivery
from shown
cross join lateral (
    select verification.*
    from verification
    where verification.report_id = shown.report_id
    offset 0
) as verification
