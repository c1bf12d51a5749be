-- Verifications that only the CHT knows, such as ones made there, void ones too. Copies of one report
-- count once.
select
    verification_report.report_id,
    verification_report.task_id,
    report.subject_uuid as patient_uuid,
    verification_report.appointment_on,
    verification_report.round,
    verification_report.outcome,
    verification_report.visit_on,
    verification_report.reason,
    verification_report.replaces,
    'cht' as answered_in,
    {{ verification_void_reason('verification_report', 'verifier.roles', 'verifier.is_verified_in_cht') }}
        as void_reason,
    verification_report.sender_uuid,
    null::text as verified_by,
    verification_report.verified_at,
    case when verification_report.is_deleted then 'withdrawn' else 'landed' end as delivery,
    null::timestamptz as accepted_at,
    null::timestamptz as sent_at,
    null::timestamptz as confirmed_at
from {{ ref('verification_report') }} as verification_report
inner join {{ ref('report') }} as report
    on verification_report.report_id = report.uuid
-- who may answer this task; where it names none that is known, who may answer any
cross join lateral (
    select
        array_agg(role.name) as roles,
        bool_or(task_definition.is_verified_in_cht) as is_verified_in_cht
    from {{ source('app', 'task_definition') }} as task_definition
    cross join lateral unnest(task_definition.roles) as role (name)
    where task_definition.name = coalesce(
        (
            select task.definition
            from {{ ref('task') }} as task
            where task.task_id = verification_report.task_id
        ),
        task_definition.name
    )
) as verifier
where
    (verification_report.outcome is not null or not verification_report.is_deleted)
    and not exists (
        select from {{ ref('int_verification_from_worklist') }} as accepted
        where {{ is_accepted_as('accepted', 'verification_report') }}
    )
    -- of ours that were deleted in the CHT, the outbox tells
    and not (
        verification_report.is_deleted
        and exists (
            select from {{ source('app', 'outbox') }} as own
            where own.report_id = verification_report.report_id
            )
    )
    and not exists (
        select from {{ source('app', 'verification') }} as own
        where
            own.task_id = verification_report.task_id
            and own.round = verification_report.round
            and own.outcome = verification_report.outcome
            and own.verification_id::text = verification_report.verification_id
    )
    and not exists (
        select from {{ ref('verification_report') }} as copy
        where
            copy.task_id = verification_report.task_id
            and copy.round = verification_report.round
            and copy.verification_id = verification_report.verification_id
            and (copy.is_deleted, copy.report_id)
            < (verification_report.is_deleted, verification_report.report_id)
    )
