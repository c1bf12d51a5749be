{{ config(unique_key=['supervisor', 'task_id']) }}

select * from {{ ref('live_open_task') }}
