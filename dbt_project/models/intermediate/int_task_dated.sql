-- What each task is about and when it opens, is due and closes: days in the programme's zone, both
-- ends included. No days where they depend on the day of reading (int_task_windowed).
with task_source as (
    select * from {{ ref('task_source') }}
),

report as (
    select * from {{ ref('report') }}
),

contact as (
    select * from {{ ref('contact') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

task_event as (
    select * from {{ source('app', 'task_event') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
),

-- a report without a date that can be true counts from when it landed
asking as (
    select
        false as is_contact,
        report.uuid,
        report.reported_at,
        coalesce(report.reported_at, report.saved_at) as counts_from,
        report.is_dated_for_the_cht as is_dated,
        report.has_bad_date,
        report.subject_key,
        report.former_keys,
        report.subject_uuid,
        report.is_ambiguous,
        report.sender_uuid,
        report.sender_place_uuid,
        report.is_altered,
        report.is_deleted,
        report.is_flagged_deleted
    from report
    union all
    select
        true,
        contact.uuid,
        contact.reported_at,
        coalesce(
            contact.reported_at, case when contact.has_bad_date then contact.saved_at end
        ),
        contact.is_dated_for_the_cht,
        contact.has_bad_date,
        contact.uuid,
        '[]',
        contact.uuid,
        false,
        null,
        null,
        contact.is_altered,
        contact.is_deleted,
        contact.is_flagged_deleted
    from contact
),

read as (
    select
        task_source.task_id,
        task_source.source_id,
        task_source.is_contact,
        task_source.definition,
        task_source.event,
        task_source.is_scheduled,
        task_source.definition || '~' || task_source.event || coalesce(
            case when task_source.is_scheduled then substring(task_source.task_id from '-[0-9]+$') end,
            ''
        ) as series,
        task_source.is_cleared,
        task_source.cleared_at,
        task_source.appointment_text,
        task_source.contact_label,
        task_source.reported_patient_name,
        task_source.reported_patient_id,
        task_source.reported_patient_uuid,
        task_source.is_applicable,
        asking.reported_at,
        asking.counts_from,
        asking.is_dated,
        asking.has_bad_date,
        asking.subject_key,
        asking.former_keys,
        asking.subject_uuid,
        asking.is_ambiguous,
        asking.sender_uuid,
        asking.sender_place_uuid,
        asking.is_altered,
        asking.is_deleted,
        asking.is_flagged_deleted,
        programme.timezone,
        task_definition.appointment_path is not null as has_appointment,
        app.read_day(task_source.appointment_text, programme.timezone) as appointment_on,
        (asking.counts_from at time zone programme.timezone)::date as reported_on,
        app.read_local_day(task_source.scheduled_text, programme.timezone) as scheduled_on,
        named.due_on as named_on,
        task_event.days,
        task_event.start_days,
        task_event.end_days
    from task_source
    cross join programme
    inner join asking
        on task_source.source_id = asking.uuid
        and task_source.is_contact = asking.is_contact
    inner join task_definition
        on task_source.definition = task_definition.name
    inner join task_event
        on task_source.definition = task_event.definition
        and task_source.event = task_event.event
    -- a day is none whose window would lead to days that cannot be read
    left join lateral (
        select read_day.due_on
        from (
            select
                app.read_day(task_source.due_text, programme.timezone) + task_event.offset_days
                    as due_on
        ) as read_day
        where
            app.readable_day(read_day.due_on - task_event.start_days) is not null
            and app.readable_day(read_day.due_on + task_event.end_days) is not null
    ) as named
        on true
),

due as (
    select
        read.*,
        case
            when read.days is not null
                then coalesce(read.scheduled_on, read.reported_on) + read.days
            else coalesce(read.named_on, read.scheduled_on, read.reported_on)
        end as due_on,
        case
            when read.days is null then read.named_on is not null
            when read.is_scheduled then read.scheduled_on is not null
            else read.is_dated
        end as has_due_date
    from read
)

select
    due.task_id,
    due.source_id,
    due.is_contact,
    due.definition,
    due.event,
    due.is_cleared,
    due.cleared_at,
    due.contact_label,
    due.reported_patient_name,
    due.reported_patient_id,
    due.reported_patient_uuid,
    due.is_applicable,
    due.reported_at,
    due.counts_from,
    due.subject_key,
    due.former_keys,
    due.subject_uuid,
    due.sender_uuid,
    due.sender_place_uuid,
    due.is_deleted,
    due.is_flagged_deleted,
    due.appointment_on,
    coalesce(due.appointment_on, due.reported_on) as visits_from,
    due.series,
    {{ appointment_key('due.series', 'due.subject_uuid', 'due.appointment_on') }}
        as appointment_key,
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
    ) as flags
from due
