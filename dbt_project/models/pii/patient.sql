select
    contact.uuid as patient_uuid,
    contact.contact_name as patient_name,
    coalesce(contact.patient_id, contact.place_id) as patient_id,
    contact.phone,
    contact.sex,
    contact.date_of_birth
from {{ ref('contact') }} as contact
where not contact.is_deleted
