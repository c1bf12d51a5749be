{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['user_name']},
        {'columns': ['contact_uuid']},
        {'columns': ['run_number']},
    ],
) }}

with staged as not materialized (
    select * from {{ ref('stg_user_account') }}
),

document as not materialized (
    select * from {{ ref('stg_document') }}
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
-- a former account keeps a row without a name, so that its verifications are re-evaluated
union all
select
    known.uuid,
    null,
    '{}',
    '{}',
    null,
    false,
    false,
    {{ this_run() }}
from {{ this }} as known
where
    known.uuid = any(array(
        select document.uuid
        from document
        where document.landed_number > {{ landed_before('user_account') }}
    ))
    and known.uuid <> all(array(
        select staged.uuid
        from staged
        where staged.landed_number > {{ landed_before('user_account') }}
    ))
{%- endif %}
