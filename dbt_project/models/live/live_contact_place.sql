-- No import CTE: PostgreSQL reads a view with one through where another query joins it.
select
    contact.uuid as contact_uuid,
    contact.parent_uuid as place_uuid
from {{ ref('contact') }} as contact
where not contact.is_deleted
