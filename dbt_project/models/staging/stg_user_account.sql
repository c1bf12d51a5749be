with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    {{ identifier("document.content ->> 'name'") }} as user_name,
    {{ texts("document.content -> 'roles'") }} as roles,
    case jsonb_typeof(document.content -> 'facility_id')
        when 'string' then array_remove(array[document.content ->> 'facility_id'], '')
        else {{ texts("document.content -> 'facility_id'") }}
    end as facility_uuids,
    {{ identifier("nullif(document.content ->> 'contact_id', '')") }} as contact_uuid,
    not document.is_deleted
        and not {{ is_truthy("document.content -> 'inactive'") }} as is_active,
    document.landed_number
from document
where
    document.content ->> 'type' = 'user-settings'
    and document.content ->> 'name' <> ''
