{{ config(unique_key=['report_id']) }}

with live as (
    select * from {{ ref('live_verification') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
