-- No import CTE: PostgreSQL reads a view with one through where another query joins it.
select
    scope.place_uuid,
    scope.ancestor_uuid,
    scope.depth
from {{ ref('place_scope') }} as scope
