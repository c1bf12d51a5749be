-- When each task opens, is due and closes: days in the programme's zone, both ends included. No days
-- where they depend on the day of reading (int_task_floating).
with read as (
    select
        task_candidate.*,
        source_document.reported_at,
        source_document.counts_from,
        source_document.is_dated,
        source_document.has_bad_date,
        source_document.subject_key,
        source_document.subject_uuid,
        source_document.is_ambiguous,
        source_document.sender_uuid,
        source_document.sender_place_uuid,
        source_document.is_altered,
        source_document.is_deleted,
        source_document.is_flagged_deleted,
        task_candidate.definition || '~' || task_candidate.event || coalesce(
            case when task_candidate.is_scheduled then substring(task_candidate.task_id from '-[0-9]+$') end,
            ''
        ) as series,
        programme.timezone,
        task_definition.appointment_path is not null as has_appointment,
        app.read_day(task_candidate.appointment_text, programme.timezone) as appointment_on,
        (source_document.counts_from at time zone programme.timezone)::date as reported_on,
        app.read_local_day(task_candidate.scheduled_text, programme.timezone) as scheduled_on,
        app.read_day(task_candidate.due_text, programme.timezone) + task_event.offset_days as named_on,
        task_event.days,
        task_event.start_days,
        task_event.end_days
    from {{ ref('task_candidate') }} as task_candidate
    cross join {{ source('app', 'programme') }} as programme
    inner join {{ ref('int_source_document') }} as source_document
        on task_candidate.source_id = source_document.uuid
        and task_candidate.is_contact = source_document.is_contact
    inner join {{ source('app', 'task_definition') }} as task_definition
        on task_candidate.definition = task_definition.name
    inner join {{ source('app', 'task_event') }} as task_event
        on task_candidate.definition = task_event.definition
        and task_candidate.event = task_event.event
),

named as (
    select
        read.*,
        -- a day counts only if its whole window can be read
        case
            when
                app.readable_day(read.named_on - read.start_days) is not null
                and app.readable_day(read.named_on + read.end_days) is not null
                then read.named_on
        end as readable_on
    from read
),

due as (
    select
        named.*,
        case
            when named.days is not null
                then coalesce(named.scheduled_on, named.reported_on) + named.days
            else coalesce(named.readable_on, named.scheduled_on, named.reported_on)
        end as due_on,
        case
            when named.days is null then named.readable_on is not null
            when named.is_scheduled then named.scheduled_on is not null
            else named.is_dated
        end as has_due_date
    from named
)

select
    due.task_id,
    due.source_id,
    due.is_contact,
    due.definition,
    due.event,
    due.contact_label,
    due.reported_patient_name,
    due.reported_patient_id,
    due.reported_patient_uuid,
    due.is_applicable,
    due.is_deleted,
    due.is_deleted or due.is_flagged_deleted as is_withdrawn,
    due.is_cleared,
    due.cleared_at,
    due.reported_at,
    due.counts_from,
    due.subject_key,
    due.subject_uuid,
    due.sender_uuid,
    due.sender_place_uuid,
    due.appointment_on,
    coalesce(due.appointment_on, due.reported_on) as visits_from,
    due.series,
    coalesce(
        {{ appointment_key('due.series', 'due.subject_uuid', 'due.appointment_on') }}, due.task_id
    ) as appointment_key,
    due.due_on - due.start_days as opens_on,
    due.due_on,
    due.due_on + due.end_days as closes_on,
    app.local_midnight(due.due_on - due.start_days, due.timezone) as opens_at,
    app.local_midnight(due.due_on + due.end_days + 1, due.timezone) as closes_at,
    array_remove(
        array[
            case
                when not due.has_appointment then null
                when coalesce(due.appointment_text, '') = '' then 'no_appointment_date'
                when due.appointment_on is null then 'bad_appointment_date'
                when due.appointment_on > due.due_on then 'future_appointment_date'
                when due.appointment_on < due.reported_on - interval '2 years'
                    then 'distant_appointment_date'
            end,
            case when not due.has_due_date then 'no_due_date' end,
            case when due.has_bad_date then 'bad_reported_date' end,
            case when due.is_altered then 'text_altered' end,
            case when due.is_ambiguous then 'ambiguous_patient' end
        ],
        null
    ) as source_flags
from due
