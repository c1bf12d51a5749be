{{ config(unique_key=['chw_task_uuid']) }}

with live as (
    select * from {{ ref('live_chw_task') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
