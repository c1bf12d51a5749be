{{ config(unique_key=['supervisor', 'day']) }}

{{ supervisor_workload(ref('task_history')) }}
