with contact as (
    select * from {{ ref('contact') }}
)

select
    contact.uuid as contact_uuid,
    contact.parent_uuid as place_uuid
from contact
where not contact.is_deleted
