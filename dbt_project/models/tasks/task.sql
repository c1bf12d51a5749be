{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['task_uuid'], 'unique': true},
        {'columns': ['source_id']},
        {'columns': ['subject_key']},
        {'columns': ['patient_uuid', 'definition']},
        {'columns': ['definition']},
        {'columns': ['sender_uuid']},
        {'columns': ['place_uuid']},
        {'columns': ['resolved_by_report']},
        {'columns': ['landed_report_id']},
        {'columns': ['due_on']},
    ],
    pre_hook="{{ delete_tasks_taken_down() }}",
    post_hook="{{ remember_definitions() }}",
) }}

with task_source as not materialized (
    select * from {{ ref('task_source') }}
),

task_definition as not materialized (
    select * from {{ source('app', 'task_definition') }}
),

dated as (
    select * from {{ ref('int_task_dated') }}
),

report as not materialized (
    select * from {{ ref('report') }}
),

contact as not materialized (
    select * from {{ ref('contact') }}
),

place as not materialized (
    select * from {{ ref('place') }}
),

verification_report as not materialized (
    select * from {{ ref('verification_report') }}
){% if is_incremental() %},

changed_report as (
    select report.*
    from report
    where {{ written_since('task', 'report.run_number') }}
),

changed_contact as (
    select contact.*
    from contact
    where {{ written_since('task', 'contact.run_number') }}
),

changed_place as (
    select place.*
    from place
    where {{ written_since('task', 'place.run_number') }}
),

affected as (
    {{ affected_tasks(this) }}
){% endif %},

asked as (
    select
        dated.*,
        task_definition.is_resolved_when_cleared and dated.is_cleared as is_cleared_away,
        task_definition.excludes_muted_or_dead
    from dated
    inner join task_definition
        on dated.definition = task_definition.name
    where
        dated.is_applicable
        {% if is_incremental() -%}
        and dated.task_id = any(array(select affected.task_id from affected))
        {%- endif %}
),

resolving_form as (
    select
        task_definition.name as definition,
        task_definition.default_form as form,
        true as is_default
    from task_definition
    where task_definition.is_resolved_by_default
    union all
    select
        task_definition.name,
        unnest(task_definition.newer_report_forms),
        false
    from task_definition
),

-- the earliest report that resolves; one that names a task resolves that task and no other
resolved as (
    select distinct on (asked.task_id)
        asked.task_id,
        report.uuid as resolved_by_report,
        report.form as resolved_by_form,
        report.reported_at as resolved_at
    from asked
    inner join resolving_form
        on asked.definition = resolving_form.definition
    inner join report
        on asked.subject_key = report.subject_key
        and resolving_form.form = report.form
    where
        not asked.is_deleted
        and asked.source_id <> report.uuid
        and not report.is_deleted
        and not report.is_flagged_deleted
        and coalesce(report.named_task_id, asked.task_id) = asked.task_id
        and case
            when not resolving_form.is_default
                then report.reported_at > coalesce(asked.counts_from, '-infinity')
            when asked.is_contact
                then report.reported_at between asked.opens_at and asked.closes_at
            else report.reported_at between greatest(
                asked.opens_at, asked.counts_from + interval '1 millisecond'
            ) and asked.closes_at
        end
    order by asked.task_id, report.reported_at, report.uuid
),

verified as (
    select distinct on (verification_report.task_id)
        verification_report.*
    from verification_report
    inner join asked
        on verification_report.task_id = asked.task_id
    where not verification_report.is_void
    order by verification_report.task_id, verification_report.round desc,
        verification_report.verified_at desc, verification_report.report_id
),

-- the highest round ever answered, deleted answers included: the next one is no round twice
last_answered as (
    select
        verification_report.task_id,
        max(verification_report.round) as round
    from verification_report
    inner join asked
        on verification_report.task_id = asked.task_id
    where verification_report.outcome in ('visited', 'not_visited')
    group by verification_report.task_id
),

-- where the patient lives, else where the sender works
placed as (
    select
        asked.*,
        patient.uuid is not null as is_patient_known,
        patient.is_dead,
        patient.is_muted,
        {% for column in ['contact_name', 'phone', 'sex', 'date_of_birth'] -%}
        case when not patient.is_deleted then patient.{{ column }} end as {{ column }},
        {% endfor -%}
        case when not patient.is_deleted then coalesce(patient.patient_id, patient.place_id) end
            as shortcode,
        case
            when patient.uuid is not null and patient.is_person then patient.parent_uuid
            when patient.uuid is not null then patient.uuid
            when sender.uuid is null then asked.sender_place_uuid
            when sender.is_person then sender.parent_uuid
            else sender.uuid
        end as place_uuid
    from asked
    left join contact as patient
        on asked.subject_uuid = patient.uuid
    left join contact as sender
        on asked.sender_uuid = sender.uuid
        and not sender.is_deleted
)

select
    placed.task_id,
    app.task_uuid(placed.task_id) as task_uuid,
    placed.source_id,
    placed.definition,
    placed.event,
    placed.reported_at,
    placed.subject_key,
    placed.subject_uuid as patient_uuid,
    coalesce(
        placed.contact_label, placed.contact_name, placed.reported_patient_name
    ) as patient_name,
    coalesce(placed.shortcode, placed.reported_patient_id) as patient_id,
    placed.reported_patient_uuid,
    placed.phone,
    placed.sex,
    placed.date_of_birth,
    placed.sender_uuid,
    placed.place_uuid,
    place.place_name,
    place.area_uuid,
    place.area_name,
    place.chw_uuid,
    place.chw_name,
    placed.appointment_on,
    placed.opens_on,
    placed.due_on,
    placed.closes_on,
    placed.date_flags
    || case
        when not placed.is_patient_known then array['unknown_patient', 'place_from_sender']
        else '{}'::text[]
    end
    || case when placed.is_altered then array['text_altered'] else '{}'::text[] end
    || case
        when coalesce(place.is_orphan or place.is_deleted, true) then array['orphan_place']
        else '{}'::text[]
    end as flags,
    placed.is_deleted or placed.is_flagged_deleted as is_withdrawn,
    case
        when not placed.excludes_muted_or_dead then null
        when placed.is_dead then 'deceased'
        when placed.is_muted then 'muted'
    end as excluded_reason,
    case
        when resolved.task_id is not null then resolved.resolved_by_report
        when placed.is_cleared_away then placed.source_id
    end as resolved_by_report,
    resolved.resolved_by_form,
    coalesce(resolved.resolved_at, case when placed.is_cleared_away then placed.cleared_at end)
        as resolved_at,
    verified.report_id as landed_report_id,
    verified.round as landed_round,
    verified.outcome as landed_outcome,
    verified.visit_on as landed_visit_on,
    verified.reason as landed_reason,
    verified.verified_by as landed_verified_by,
    verified.verified_at as landed_verified_at,
    last_answered.round as landed_last_round,
    {{ this_run() }} as run_number
from placed
left join place
    on placed.place_uuid = place.place_uuid
left join resolved
    on placed.task_id = resolved.task_id
left join verified
    on placed.task_id = verified.task_id
left join last_answered
    on placed.task_id = last_answered.task_id
{% if not is_incremental() -%}
-- a supervisor's tasks side by side on the disk, since nobody reads one of them alone
order by placed.place_uuid
{%- endif %}
