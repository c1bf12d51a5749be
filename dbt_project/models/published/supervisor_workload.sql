{{ config(unique_key=['supervisor', 'day']) }}

select * from {{ ref('live_supervisor_workload') }}
