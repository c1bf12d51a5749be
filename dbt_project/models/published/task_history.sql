{{ config(unique_key=['task_id']) }}

with live as (
    select * from {{ ref('live_task_history') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
