with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    case
        when document.content ->> 'type' = 'contact' then document.content ->> 'contact_type'
        else document.content ->> 'type'
    end as contact_type,
    document.content ->> 'name' as contact_name,
    document.content -> 'parent' ->> '_id' as parent_uuid,
    coalesce(
        document.content -> 'contact' ->> '_id',
        document.content ->> 'contact'
    ) as primary_contact_uuid,
    nullif(document.content ->> 'patient_id', '') as patient_id,
    nullif(document.content ->> 'place_id', '') as place_id,
    document.content ->> 'phone' as phone,
    document.content ->> 'sex' as sex,
    document.content ->> 'date_of_birth' as date_of_birth,
    {{ is_truthy("document.content -> 'muted'") }} as is_muted,
    {{ is_truthy("document.content -> 'date_of_death'") }} as is_dead,
    coalesce(
        document.content ->> 'type' in (
            'contact', 'person', 'clinic', 'health_center', 'district_hospital'
        ),
        false
    ) as is_contact,
    document.is_deleted,
    document.landed_number
from document
