-- When each task opens, is due and closes: days in the programme's zone, both ends included.
with task_source as (
    select * from {{ ref('task_source') }}
),

report as (
    select * from {{ ref('report') }}
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

read as (
    select
        task_source.*,
        programme.timezone,
        task_definition.appointment_path is not null as has_appointment,
        app.read_day(task_source.appointment_text, programme.timezone) as appointment_on,
        (coalesce(report.reported_at, report.saved_at) at time zone programme.timezone)::date
            as reported_on,
        report.is_dated_for_the_cht and report.reported_at is not null as is_dated,
        app.read_day(task_source.due_text, programme.timezone) + task_event.offset_days as named_on,
        task_event.days,
        task_event.start_days,
        task_event.end_days
    from task_source
    cross join programme
    inner join report
        on task_source.source_id = report.uuid
    inner join task_definition
        on task_source.definition = task_definition.name
    inner join task_event
        on task_source.definition = task_event.definition
        and task_source.event = task_event.event
),

due as (
    select
        read.*,
        case
            when read.days is not null then read.reported_on + read.days
            else coalesce(read.named_on, read.reported_on)
        end as due_on,
        case when read.days is not null then read.is_dated else read.named_on is not null end
            as has_due_date
    from read
)

select
    due.task_id,
    due.appointment_on,
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
                when due.appointment_on > due.reported_on then 'future_appointment_date'
            end,
            case when not due.has_due_date then 'no_due_date' end
        ],
        null
    ) as date_flags
from due
