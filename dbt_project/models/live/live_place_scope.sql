with scope as (
    select * from {{ ref('place_scope') }}
)

select
    scope.place_uuid,
    scope.ancestor_uuid,
    scope.depth
from scope
