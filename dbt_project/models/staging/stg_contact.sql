with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    {{ identifier(contact_type("document.content")) }} as contact_type,
    document.content ->> 'name' as contact_name,
    {{ identifier("document.content -> 'parent' ->> '_id'") }} as parent_uuid,
    {{ identifier("coalesce(
        document.content -> 'contact' ->> '_id', document.content ->> 'contact'
    )") }} as primary_contact_uuid,
    {{ identifier("nullif(document.content ->> 'patient_id', '')") }} as patient_id,
    {{ identifier("nullif(document.content ->> 'place_id', '')") }} as place_id,
    document.content ->> 'phone' as phone,
    document.content ->> 'sex' as sex,
    document.content ->> 'date_of_birth' as date_of_birth,
    {{ is_truthy("document.content -> 'muted'") }} as is_muted,
    {{ is_truthy("document.content -> 'date_of_death'") }} as is_dead,
    {{ believable_moment("document.content ->> 'reported_date'", "document.saved_at") }} as reported_at,
    document.content ->> 'reported_date' <> '' as has_reported_date,
    document.saved_at,
    coalesce(document.content -> 'reported_date', 'null') = 'null'
        or {{ is_dated_for_the_cht("document.content") }} as is_dated_for_the_cht,
    {{ is_contact("document.content") }} as is_contact,
    {{ is_truthy("document.content -> 'deleted'") }} as is_flagged_deleted,
    document.is_deleted,
    document.is_altered,
    document.landed_number
from document
