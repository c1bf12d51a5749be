-- Which appointment each landed verification answers, and why it answers nothing. One that names a
-- task answers the appointment that the task was about when it was given: where the report was edited
-- since to another day, not that of the task now. About another patient than that task, it answers
-- nothing, unless it was accepted here before the report was edited. One that names no task answers
-- what a report of its form resolves in the CHT.
{% set columns = [
    'report_id', 'round', 'outcome', 'visit_on', 'reason', 'sender_uuid', 'verified_at',
    'is_deleted'
] -%}
select
    {% for column in columns -%}
    verification.{{ column }},
    {% endfor -%}
    named.task_id as named_task_id,
    named.appointment_key as named_key,
    case
        when report.subject_uuid <> named.subject_uuid and accepted.report_id is null then null
        when report.subject_uuid <> named.subject_uuid then {{ appointment_key(
            'named.series', 'report.subject_uuid', 'verification.appointment_on'
        ) }}
        when
            verification.appointment_on is null
            or task_definition.appointment_path is null
            or verification.appointment_on = named.appointment_on
            then named.appointment_key
        else {{ appointment_key(
            'named.series', 'named.subject_uuid', 'verification.appointment_on'
        ) }}
    end as answered_key,
    case
        when accepted.report_id is null then {{ verification_void_reason(
            'verification', 'task_definition.roles', 'task_definition.is_verified_in_cht'
        ) }}
    end as void_reason
from {{ ref('verification_report') }} as verification
inner join {{ ref('report') }} as report
    on verification.report_id = report.uuid
inner join {{ ref('reported_task') }} as named
    on verification.task_id = named.task_id
inner join {{ source('app', 'task_definition') }} as task_definition
    on named.definition = task_definition.name
left join {{ ref('int_verification_from_worklist') }} as accepted
    on {{ is_accepted_as('accepted', 'verification') }}

union all

select
    {% for column in columns -%}
    verification.{{ column }},
    {% endfor -%}
    null,
    null,
    resolving_report.appointment_key,
    {{ verification_void_reason(
        'verification', 'task_definition.roles', 'task_definition.is_verified_in_cht'
    ) }}
from {{ ref('verification_report') }} as verification
inner join {{ ref('int_resolving_report') }} as resolving_report
    on verification.report_id = resolving_report.report_uuid
inner join {{ source('app', 'task_definition') }} as task_definition
    on resolving_report.definition = task_definition.name
where
    verification.task_id is null
    and resolving_report.is_applicable
    and coalesce(verification.appointment_on = resolving_report.appointment_on, true)
