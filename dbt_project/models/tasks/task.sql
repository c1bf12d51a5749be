{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['task_uuid'], 'unique': true},
        {'columns': ['source_id']},
        {'columns': ['appointment_task_id']},
        {'columns': ['patient_uuid', 'definition']},
        {'columns': ['definition']},
        {'columns': ['sender_uuid']},
        {'columns': ['place_uuid']},
        {'columns': ['due_on']},
    ],
    pre_hook="{{ delete_tasks_taken_down() }}",
    post_hook="{{ remember_definitions() }}",
) }}

with reported_task as not materialized (
    select * from {{ ref('reported_task') }}
),

task_definition as not materialized (
    select * from {{ source('app', 'task_definition') }}
),

task_resolver as not materialized (
    select * from {{ source('app', 'task_resolver') }}
),

report as not materialized (
    select * from {{ ref('report') }}
),

report_finding as not materialized (
    select * from {{ ref('report_finding') }}
),

contact as not materialized (
    select * from {{ ref('contact') }}
),

place as not materialized (
    select * from {{ ref('place') }}
),

verification_report as not materialized (
    select * from {{ ref('verification_report') }}
),

{% if is_incremental() -%}
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

-- a report of the form may have changed whom it is about without being read anew
changed_verification as (
    select verification_report.*
    from verification_report
    where {{ written_since('task', 'verification_report.run_number') }}
    union
    select verification_report.*
    from verification_report
    where verification_report.report_id = any(array(
        select report.uuid
        from report
        where
            report.form = '{{ var("verification_form") }}'
            and {{ written_since('task', 'report.run_number') }}
    ))
),

affected as materialized (
    {{ affected_tasks() }}
),

-- with all that is about the same patients, since reports of one appointment are one task
affected_subject as materialized (
    select affected.subject_key from affected
    union
    select jsonb_array_elements_text(affected.former_keys) from affected
    union
    select reported_task.subject_key
    from reported_task
    where reported_task.task_id = any(array(select affected.task_id from affected))
),

{% endif -%}
asked as (
    select reported_task.*
    from reported_task
    where
        reported_task.is_applicable
        {% if is_incremental() -%}
        and (
            reported_task.subject_key = any(array(
                select affected_subject.subject_key from affected_subject
            ))
            or reported_task.task_id = any(array(select affected.task_id from affected))
        )
        {%- endif %}
),

appointment as (
    {{ appointments() }}
),

verification as (
    select
        verification_report.*,
        report.subject_key,
        report.subject_uuid
    from verification_report
    inner join report
        on verification_report.report_id = report.uuid
    {% if is_incremental() -%}
    where
        verification_report.task_id = any(array(select asked.task_id from asked))
        or verification_report.report_id = any(array(
            select about.uuid
            from report as about
            where
                about.subject_key = any(array(
                    select affected_subject.subject_key from affected_subject
                ))
                and about.form = '{{ var("verification_form") }}'
        ))
    {%- endif %}
),

answered as materialized (
    {{ answered() }}
),

verified as (
    select distinct on (answered.answered_key)
        answered.*
    from answered
    where
        answered.void_reason is null
        and not answered.is_deleted
    order by answered.answered_key, answered.round desc, answered.verified_at desc nulls last,
        answered.report_id
),

-- the highest round ever answered, deleted answers included: the next one is no round twice
last_answered as (
    select
        own.appointment_key,
        max(answered.round) as round
    from answered
    cross join lateral unnest(array[answered.answered_key, answered.named_key])
        as own (appointment_key)
    where answered.void_reason is null
    group by own.appointment_key
),

-- answers of ours to a report that was about another appointment when they were given
answered_elsewhere as (
    select
        {{ appointment_key('named.series', 'own.patient_uuid', 'own.appointment_on') }}
            as appointment_key,
        array_agg(distinct own.task_id) as task_ids
    from {{ source('app', 'verification') }} as own
    inner join reported_task as named
        on own.task_id = named.task_id
    where
        {{ appointment_key('named.series', 'own.patient_uuid', 'own.appointment_on') }}
        <> named.appointment_key
        {% if is_incremental() -%}
        and own.patient_uuid = any(array(
            select affected_subject.subject_key from affected_subject
        ))
        {%- endif %}
    group by 1
),

answered_before as (
    select distinct answered.named_task_id as task_id
    from answered
    where
        answered.void_reason is null
        and not answered.is_deleted
        and answered.answered_key is distinct from answered.named_key
),

-- where the patient lives, else where the sender works
placed as (
    select
        asked.*,
        appointment.task_id as appointment_task_id,
        coalesce(appointment.task_id = asked.task_id, false) as is_carrying,
        patient.uuid is not null as is_patient_known,
        case
            when not task_definition.excludes_muted_or_dead then null
            when patient.is_dead then 'deceased'
            when patient.is_muted then 'muted'
        end as excluded_reason,
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
    inner join task_definition
        on asked.definition = task_definition.name
    inner join appointment
        on asked.appointment_key = appointment.appointment_key
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
    case when placed.is_withdrawn then placed.task_id else placed.appointment_task_id end
        as appointment_task_id,
    case
        when placed.is_carrying
            then appointment.task_ids || coalesce(answered_elsewhere.task_ids, '{}')
        when placed.is_withdrawn then array[placed.task_id]
        else '{}'
    end as answered_as,
    appointment.report_count,
    appointment.last_reported_at,
    placed.reported_at,
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
    case when placed.is_carrying then appointment.opens_on else placed.opens_on end as opens_on,
    placed.due_on,
    case when placed.is_carrying then appointment.closes_on else placed.closes_on end as closes_on,
    placed.flags
    || case
        when placed.is_patient_known then '{}'::text[]
        when 'ambiguous_patient' = any(placed.flags) then array['place_from_sender']
        else array['unknown_patient', 'place_from_sender']
    end
    || case
        when coalesce(place.is_orphan or place.is_deleted, true) then array['orphan_place']
        else '{}'::text[]
    end
    || case
        when answered_before.task_id is not null and verified.report_id is null
            then array['appointment_changed']
        else '{}'::text[]
    end as flags,
    placed.is_withdrawn,
    placed.excluded_reason,
    {% for column in ['resolved_by_report', 'resolved_by_form', 'resolved_at'] -%}
    case when placed.is_carrying then appointment.{{ column }} else placed.{{ column }} end
        as {{ column }},
    {% endfor -%}
    case when placed.is_carrying then appointment.unresolved_until end as unresolved_until,
    verified.report_id as landed_report_id,
    verified.round as landed_round,
    verified.outcome as landed_outcome,
    verified.visit_on as landed_visit_on,
    verified.reason as landed_reason,
    verified.sender_uuid as landed_sender_uuid,
    verified.verified_at as landed_verified_at,
    last_answered.round as landed_last_round,
    {{ this_run() }} as run_number
from placed
left join place
    on placed.place_uuid = place.place_uuid
inner join appointment
    on placed.appointment_key = appointment.appointment_key
left join verified
    on placed.appointment_key = verified.answered_key
    and (placed.is_carrying or appointment.task_id is null)
left join last_answered
    on placed.appointment_key = last_answered.appointment_key
left join answered_elsewhere
    on placed.appointment_key = answered_elsewhere.appointment_key
left join answered_before
    on placed.task_id = answered_before.task_id
{% if not is_incremental() -%}
-- a supervisor's tasks side by side on the disk, since nobody reads one of them alone
order by placed.place_uuid
{%- endif %}
