{{ config(unique_key=['chw_target_uuid', 'target']) }}

with live as (
    select * from {{ ref('live_chw_target') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
