with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    document.content ->> 'form' as form,
    {{ believable_moment("document.content ->> 'reported_date'", "document.saved_at") }} as reported_at,
    document.content ->> 'reported_date' <> '' as has_reported_date,
    {{ is_dated_for_the_cht("document.content") }} as is_dated_for_the_cht,
    {{ first_filled([
        "document.content ->> 'patient_id'",
        "document.content -> 'fields' ->> 'patient_id'",
        "document.content ->> 'patient_uuid'",
        "document.content -> 'fields' ->> 'patient_uuid'",
        "document.content ->> 'place_id'",
        "document.content -> 'fields' ->> 'place_id'",
        "document.content ->> 'place_uuid'",
        "document.content -> 'fields' ->> 'place_uuid'",
    ]) }} as subject_reference,
    -- about a place only where it names no patient
    case
        when {{ first_filled([
            "document.content ->> 'patient_id'",
            "document.content -> 'fields' ->> 'patient_id'",
            "document.content ->> 'patient_uuid'",
            "document.content -> 'fields' ->> 'patient_uuid'",
        ]) }} is not null
            then {{ first_filled([
                "document.content ->> 'patient_uuid'",
                "document.content -> 'fields' ->> 'patient_uuid'",
                "document.content -> 'fields' -> 'inputs' -> 'contact' ->> '_id'",
            ]) }}
        else {{ first_filled([
            "document.content ->> 'place_uuid'",
            "document.content -> 'fields' ->> 'place_uuid'",
        ]) }}
    end as second_reference,
    coalesce(
        nullif(document.content -> 'fields' -> 'inputs' ->> 'task_id', ''),
        case
            when document.content ->> 'form' = '{{ var("verification_form") }}'
                then nullif(document.content -> 'fields' ->> 'task_id', '')
        end
    ) as named_task_id,
    document.content -> 'contact' ->> '_id' as sender_uuid,
    document.content -> 'contact' -> 'parent' ->> '_id' as sender_place_uuid,
    {{ is_report("document.content") }} as is_report,
    {{ is_truthy("document.content -> 'deleted'") }} as is_flagged_deleted,
    document.is_deleted,
    document.is_forgotten,
    document.is_altered,
    document.saved_at,
    document.landed_number
from document
