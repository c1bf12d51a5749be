select
    place.place_uuid,
    place.place_name,
    place.place_type,
    place.area_uuid,
    place.is_orphan
from {{ ref('place') }} as place
where not place.is_deleted
