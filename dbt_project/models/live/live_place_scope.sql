select
    scope.place_uuid,
    scope.ancestor_uuid,
    scope.depth
from {{ ref('place_scope') }} as scope
