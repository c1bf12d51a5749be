with user_account as (
    select * from {{ ref('user_account') }}
)

select
    user_account.user_name,
    user_account.roles,
    user_account.facility_uuids,
    user_account.contact_uuid,
    user_account.is_online,
    user_account.is_active
from user_account
where user_account.user_name is not null
