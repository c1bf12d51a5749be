{{ config(unique_key=['chw_task_uuid']) }}

select * from {{ ref('live_chw_task') }}
