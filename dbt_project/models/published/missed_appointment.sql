{{ config(unique_key=['task_id']) }}

with live as (
    select * from {{ ref('live_missed_appointment') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
