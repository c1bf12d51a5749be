{{ supervisor_workload(ref('live_task_history')) }}
