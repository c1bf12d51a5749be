with document as (
    select * from {{ ref('stg_document') }}
)

select
    contact_type.entry ->> 'id' as contact_type,
    {{ is_truthy("contact_type.entry -> 'person'") }} as is_person
from document
cross join lateral
    {{ elements("document.content -> 'settings' -> 'contact_types'") }} as contact_type (entry)
where
    document.uuid = 'settings'
    and not document.is_deleted
