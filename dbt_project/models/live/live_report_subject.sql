select
    report.uuid as report_uuid,
    report.form,
    report.reported_at,
    report.subject_uuid as patient_uuid,
    report.subject_key,
    report.subject_reference,
    report.is_ambiguous
from {{ ref('report') }} as report
where not report.is_deleted
