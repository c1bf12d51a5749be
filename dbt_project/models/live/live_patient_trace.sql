select
    report.uuid as report_uuid,
    report.subject_key as patient_uuid,
    task_definition.name as definition,
    report.form as trace_form,
    report.reported_at as traced_at,
    report_finding.trace_outcome
from {{ ref('report') }} as report
inner join {{ source('app', 'task_definition') }} as task_definition
    on report.form = any(task_definition.tracing_forms)
left join {{ ref('report_finding') }} as report_finding
    on report.uuid = report_finding.uuid
    and task_definition.name = report_finding.definition
    and report_finding.resolver is null
where
    report.subject_uuid = report.subject_key
    and not report.is_deleted
    and not report.is_flagged_deleted
