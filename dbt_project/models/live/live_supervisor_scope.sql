-- Who may see what: each definition's supervisors and the places below their facilities.
with user_account as (
    select * from {{ ref('user_account') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

scope as (
    select * from {{ ref('place_scope') }}
)

select distinct on (user_account.user_name, task_definition.name, scope.place_uuid)
    user_account.user_name as supervisor,
    task_definition.name as definition,
    scope.place_uuid,
    scope.ancestor_uuid as facility_uuid
from user_account
inner join task_definition
    on user_account.roles && task_definition.roles
inner join scope
    on scope.ancestor_uuid = any(user_account.facility_uuids)
where
    user_account.is_online
    and user_account.is_active
order by user_account.user_name, task_definition.name, scope.place_uuid, scope.depth
