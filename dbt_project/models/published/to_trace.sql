{{ config(unique_key=['patient_uuid']) }}

with live as (
    select * from {{ ref('live_to_trace') }}
)

select
    live.*,
    app.worklist_now() as as_of
from live
