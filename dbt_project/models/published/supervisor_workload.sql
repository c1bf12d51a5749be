{{ config(unique_key=['supervisor', 'day']) }}

with live as (
    select * from {{ ref('live_supervisor_workload') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
