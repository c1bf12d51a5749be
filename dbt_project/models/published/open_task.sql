{{ config(unique_key=['supervisor', 'task_id']) }}

with live as (
    select * from {{ ref('live_open_task') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
