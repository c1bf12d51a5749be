select
    contact.uuid as contact_uuid,
    contact.parent_uuid as place_uuid
from {{ ref('contact') }} as contact
where not contact.is_deleted
