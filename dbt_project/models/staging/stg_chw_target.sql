with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    document.content ->> 'user' as user_uuid,
    document.content ->> 'owner' as chw_uuid,
    document.content ->> 'reporting_period' as reporting_period,
    (app.read_moment(document.content ->> 'updated_date')) as updated_at,
    target.entry ->> 'id' as target,
    app.read_count(target.entry -> 'value' ->> 'pass') as pass_count,
    app.read_count(target.entry -> 'value' ->> 'total') as total_count,
    app.read_count(target.entry -> 'value' ->> 'percent') as percent,
    document.is_deleted,
    document.landed_number
from document
cross join lateral {{ elements("document.content -> 'targets'") }} as target (entry)
where
    document.content ->> 'type' = 'target'
    and {{ is_identifier("target.entry ->> 'id'") }}
