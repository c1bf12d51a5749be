{{ config(
    unique_key='appointment_key',
    indexes=[
        {'columns': ['appointment_key'], 'unique': true},
        {'columns': ['subject_key']},
        {'columns': ['definition']},
    ],
    pre_hook="{{ delete_appointments_of_changed_subjects() }}",
) }}

with {{ tasks_of_changed_subjects() }},

verification_report as (
    select * from {{ ref('verification_report') }}
),

report as (
    select * from {{ ref('report') }}
),

answer as (
    select answer.*
    from {{ ref('int_verification_by_appointment') }} as answer
    where
        answer.void_reason is null
        {% if is_incremental() -%}
        and answer.report_id = any(array(
            select verification_report.report_id
            from verification_report
            where verification_report.task_id = any(array(select task.task_id from task))
            union
            select report.uuid
            from report
            where
                report.subject_key = any(array(select changed.subject_key from changed))
                and report.form = '{{ var("verification_form") }}'
        ))
        {%- endif %}
),

last_answer as (
    select distinct on (answer.answered_key)
        answer.*
    from answer
    where not answer.is_deleted
    order by
        answer.answered_key,
        answer.round desc,
        answer.verified_at desc nulls last,
        answer.report_id
),

-- deleted answers included, so that the next one is no round twice
answered as (
    select
        own.appointment_key,
        max(answer.round) as last_round,
        array_agg(answer.named_task_id) filter (
            where not answer.is_deleted
            and own.appointment_key = answer.named_key
            and answer.answered_key is distinct from answer.named_key
        ) as moved_away
    from answer
    cross join lateral (
        select answer.answered_key
        union
        select answer.named_key
    ) as own (appointment_key)
    group by own.appointment_key
),

moved_here as (
    select
        {{ appointment_key('named.series', 'own.patient_uuid', 'own.appointment_on') }}
            as appointment_key,
        array_agg(distinct own.task_id) as task_ids
    from {{ source('app', 'verification') }} as own
    inner join {{ ref('reported_task') }} as named
        on own.task_id = named.task_id
    where
        {{ appointment_key('named.series', 'own.patient_uuid', 'own.appointment_on') }}
        <> named.appointment_key
        {% if is_incremental() -%}
        and own.patient_uuid = any(array(select changed.subject_key from changed))
        {%- endif %}
    group by 1
)

select
    appointment.appointment_key,
    appointment.subject_key,
    appointment.definition,
    {% for column in [
        'report_id', 'round', 'outcome', 'visit_on', 'reason', 'sender_uuid', 'verified_at'
    ] -%}
    last_answer.{{ column }},
    {% endfor -%}
    answered.last_round,
    coalesce(answered.moved_away, '{}') as moved_away,
    coalesce(moved_here.task_ids, '{}') as moved_here,
    {{ this_run() }} as run_number
from (
    select distinct
        task.appointment_key,
        task.definition,
        coalesce(task.subject_key, task.task_id)::text as subject_key
    from task
) as appointment
left join last_answer
    on appointment.appointment_key = last_answer.answered_key
left join answered
    on appointment.appointment_key = answered.appointment_key
left join moved_here
    on appointment.appointment_key = moved_here.appointment_key
where
    answered.appointment_key is not null
    or moved_here.appointment_key is not null
