-- No import CTE: PostgreSQL reads a view with one through where another query joins it.
select
    place.place_uuid,
    place.place_name,
    place.place_type,
    place.area_uuid,
    place.is_orphan
from {{ ref('place') }} as place
where not place.is_deleted
