-- What reports say of people in their own words: the source of a task, and each verification.
with task_source as (
    select * from {{ ref('task_source') }}
),

verification_report as (
    select * from {{ ref('verification_report') }}
),

verification as (
    select * from {{ ref('int_verification_accepted') }}
)

select distinct on (task_source.source_id)
    task_source.source_id as report_uuid,
    task_source.reported_patient_uuid as patient_uuid,
    task_source.reported_patient_id as patient_id,
    task_source.reported_patient_name as patient_name,
    null as note
from task_source
where task_source.is_applicable

union all

select
    verification.report_id,
    null,
    null,
    null,
    nullif(verification.note, '')
from verification

union all

select
    verification_report.report_id,
    null,
    null,
    null,
    verification_report.note
from verification_report
where not exists (
    select from {{ ref('int_verification_accepted') }} as own
    where own.report_id = verification_report.report_id
)
