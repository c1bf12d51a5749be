{{ config(unique_key=['task_id']) }}

select * from {{ ref('live_task_history') }}
