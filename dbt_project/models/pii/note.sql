-- What documents say of people in their own words: the source of a task, and each verification. Ids are
-- cast alike, since PostgreSQL looks a row up in each part of a union only where types agree.
with task_candidate as (
    select * from {{ ref('task_candidate') }}
),

verification_report as (
    select * from {{ ref('verification_report') }}
),

source_document as (
    select distinct on (task_candidate.source_id)
        task_candidate.*
    from task_candidate
    where task_candidate.is_applicable
    order by
        task_candidate.source_id,
        task_candidate.contact_label is null,
        task_candidate.task_id
)

select
    source_document.source_id as report_uuid,
    source_document.reported_patient_uuid as patient_uuid,
    source_document.reported_patient_id as patient_id,
    source_document.reported_patient_name as patient_name,
    source_document.contact_label,
    null as note
from source_document

union all

select
    outbox.report_id::varchar,
    null,
    null,
    null,
    null,
    verification.note
from {{ source('app', 'outbox') }} as outbox
cross join lateral (
    select nullif(verification.note, '') as note
    from {{ source('app', 'verification') }} as verification
    where verification.verification_id = outbox.verification_id
) as verification

union all

select
    verification_report.report_id::varchar,
    null,
    null,
    null,
    null,
    verification_report.note
from verification_report
where
    not verification_report.is_deleted
    and not exists (
        select from {{ source('app', 'outbox') }} as own
        where own.report_id = verification_report.report_id
    )
