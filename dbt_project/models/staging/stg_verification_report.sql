with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid as report_id,
    {{ identifier(first_filled([
        "document.content -> 'fields' -> 'inputs' ->> 'task_id'",
        "document.content -> 'fields' ->> 'task_id'",
    ])) }} as task_id,
    greatest(app.read_count(document.content -> 'fields' ->> 'round'), 1) as round,
    case
        when document.content -> 'fields' -> 'verification' ->> 'outcome'
            in ('visited', 'not_visited')
            then document.content -> 'fields' -> 'verification' ->> 'outcome'
    end as outcome,
    app.read_day(
        document.content -> 'fields' ->> 'appointment_date', app.programme_zone()
    ) as appointment_on,
    app.read_day(
        document.content -> 'fields' -> 'verification' ->> 'visit_date', 'UTC'
    ) as visit_on,
    nullif(document.content -> 'fields' -> 'verification' ->> 'reason', '') as reason,
    nullif(document.content -> 'fields' ->> 'replaces', '') as replaces,
    nullif(document.content -> 'fields' -> 'verification' ->> 'note', '') as note,
    {{ identifier(first_filled([
        "document.content -> 'contact' ->> '_id'",
        "document.content ->> 'contact'",
    ])) }} as sender_uuid,
    -- where the date cannot be true, when it landed
    coalesce(
        {{ believable_moment("document.content ->> 'reported_date'", "document.saved_at") }},
        document.saved_at
    ) as verified_at,
    document.is_deleted
    or {{ is_truthy("document.content -> 'deleted'") }} as is_deleted,
    nullif(document.content -> 'fields' ->> 'verification_id', '') as verification_id,
    document.landed_number
from document
where
    document.content ->> 'form' = '{{ var("verification_form") }}'
    and document.content ->> 'type' = 'data_record'
