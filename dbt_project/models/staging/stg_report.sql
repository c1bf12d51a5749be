with document as (
    select * from {{ ref('stg_document') }}
),

-- whom it may be about, in the order in which the CHT's rules engine looks
referenced as (
    select
        document.*,
        {{ first_filled([
            "document.content ->> 'patient_id'",
            "document.content -> 'fields' ->> 'patient_id'",
            "document.content ->> 'patient_uuid'",
            "document.content -> 'fields' ->> 'patient_uuid'",
        ]) }} as patient_reference,
        {{ first_filled([
            "document.content ->> 'place_id'",
            "document.content -> 'fields' ->> 'place_id'",
            "document.content ->> 'place_uuid'",
            "document.content -> 'fields' ->> 'place_uuid'",
        ]) }} as place_reference
    from document
)

select
    referenced.uuid,
    {{ identifier("referenced.content ->> 'form'") }} as form,
    {{ believable_moment("referenced.content ->> 'reported_date'", "referenced.saved_at") }}
        as reported_at,
    referenced.content ->> 'reported_date' <> '' as has_reported_date,
    {{ is_dated_for_the_cht("referenced.content") }} as is_dated_for_the_cht,
    {{ identifier("coalesce(referenced.patient_reference, referenced.place_reference)") }}
        as subject_reference,
    -- about a place only where it names no patient
    {{ identifier(first_filled([
        "nullif(referenced.content ->> 'patient_uuid', referenced.patient_reference)",
        "nullif(referenced.content -> 'fields' ->> 'patient_uuid', referenced.patient_reference)",
        "case when referenced.patient_reference is null then coalesce(
            nullif(referenced.content ->> 'place_uuid', ''),
            referenced.content -> 'fields' ->> 'place_uuid'
        ) end",
    ])) }} as second_reference,
    case
        when referenced.patient_reference is not null then {{ identifier(first_filled([
            "nullif(
                referenced.content -> 'fields' -> 'inputs' -> 'contact' ->> '_id',
                referenced.patient_reference
            )",
            "nullif(referenced.content -> 'fields' ->> 'patient_id', referenced.patient_reference)",
        ])) }}
    end as third_reference,
    {{ identifier("coalesce(
        nullif(referenced.content -> 'fields' -> 'inputs' ->> 'task_id', ''),
        case
            when referenced.content ->> 'form' = '" ~ var("verification_form") ~ "'
                then nullif(referenced.content -> 'fields' ->> 'task_id', '')
        end
    )") }} as named_task_id,
    {{ identifier("referenced.content -> 'contact' ->> '_id'") }} as sender_uuid,
    {{ identifier("referenced.content -> 'contact' -> 'parent' ->> '_id'") }} as sender_place_uuid,
    {{ is_report("referenced.content") }} as is_report,
    {{ is_truthy("referenced.content -> 'deleted'") }} as is_flagged_deleted,
    referenced.is_deleted,
    referenced.is_forgotten,
    referenced.is_altered,
    referenced.saved_at,
    referenced.landed_number
from referenced
