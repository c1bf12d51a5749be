{#-
    The ids of the tasks that something changed for since `task` was last refreshed: their own
    report, their patient or sender, a report about the same patient, a verification.
-#}
{% macro affected_tasks(known_tasks) -%}
    select task_source.task_id
    from task_source
    where task_source.run_number > {{ run_before('task') }}
    union
    select known.task_id
    from {{ known_tasks }} as known
    inner join changed_report
        on known.source_id = changed_report.uuid
    union
    select known.task_id
    from {{ known_tasks }} as known
    inner join changed_report
        on known.subject_key = changed_report.subject_key
    union
    select known.task_id
    from {{ known_tasks }} as known
    inner join changed_report
        on known.resolved_by_report = changed_report.uuid
    union
    select changed_report.named_task_id
    from changed_report
    union
    select verification_report.task_id
    from verification_report
    where verification_report.run_number > {{ run_before('task') }}
    union
    -- the report may have answered another task before
    select known.task_id
    from {{ known_tasks }} as known
    inner join verification_report
        on known.landed_report_id = verification_report.report_id
    where verification_report.run_number > {{ run_before('task') }}
    union
    select known.task_id
    from {{ known_tasks }} as known
    inner join changed_contact
        on known.patient_uuid = changed_contact.uuid
    union
    select known.task_id
    from {{ known_tasks }} as known
    inner join changed_contact
        on known.sender_uuid = changed_contact.uuid
{%- endmacro %}
