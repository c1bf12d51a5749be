{#-
    The ids of the tasks that something changed for since `task` was last refreshed: their own
    report, their patient, sender or place, a report about the same patient, a verification.
-#}
{% macro affected_tasks(known_tasks) -%}
    select task_source.task_id
    from task_source
    where {{ written_since('task', 'task_source.run_number') }}
    union
    select known.task_id
    from {{ known_tasks }} as known
    where known.source_id = any(array(select changed_report.uuid from changed_report))
    union
    select known.task_id
    from {{ known_tasks }} as known
    where known.subject_key = any(array(select changed_report.subject_key from changed_report))
    union
    select known.task_id
    from {{ known_tasks }} as known
    where known.resolved_by_report = any(array(select changed_report.uuid from changed_report))
    union
    select changed_report.named_task_id
    from changed_report
    union
    select verification_report.task_id
    from verification_report
    where {{ written_since('task', 'verification_report.run_number') }}
    union
    -- the report may have answered another task before
    select known.task_id
    from {{ known_tasks }} as known
    where known.landed_report_id = any(array(
        select verification_report.report_id
        from verification_report
        where {{ written_since('task', 'verification_report.run_number') }}
    ))
    union
    select known.task_id
    from {{ known_tasks }} as known
    where known.patient_uuid = any(array(select changed_contact.uuid from changed_contact))
    union
    select known.task_id
    from {{ known_tasks }} as known
    where known.sender_uuid = any(array(select changed_contact.uuid from changed_contact))
    union
    -- what is no place any more has no row that could have changed
    select known.task_id
    from {{ known_tasks }} as known
    where known.place_uuid = any(array(
        select changed_contact.uuid from changed_contact
        union
        select changed_place.place_uuid from changed_place
    ))
{%- endmacro %}
