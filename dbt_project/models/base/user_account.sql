{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['user_name']},
    ],
    pre_hook="{{ delete_changed_documents() }}",
) }}

with staged as (
    select * from {{ ref('stg_user_account') }}
)

select
    staged.uuid,
    staged.user_name,
    staged.roles,
    staged.facility_uuids,
    staged.contact_uuid,
    staged.roles && array['mm-online', 'admin', '_admin'] as is_online,
    staged.is_active,
    {{ this_run() }} as run_number
from staged
{% if is_incremental() -%}
where staged.landed_number > {{ landed_before('user_account') }}
{%- endif %}
