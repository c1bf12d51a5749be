{#-
    The ids of the tasks that something changed for since `reported_task` was last refreshed: their
    own source, or a report about the same patient, now or before.
-#}
{% macro affected_reported_tasks() -%}
    select task_source.task_id
    from task_source
    where {{ written_since('reported_task', 'task_source.run_number') }}
    union
    select task_source.task_id
    from task_source
    where task_source.source_id = any(array(
        select changed_report.uuid from changed_report
        union
        select contact.uuid
        from contact
        where {{ written_since('reported_task', 'contact.run_number') }}
    ))
    union
    select known.task_id
    from {{ this }} as known
    where known.subject_key = any(array(
        select changed_report.subject_key from changed_report
        union
        select jsonb_array_elements_text(changed_report.former_keys) from changed_report
    ))
{%- endmacro %}

{#-
    The tasks that something changed for since `task` was last refreshed, with whom they are about:
    what was reported, their patient, sender or place, a verification.
-#}
{% macro affected_tasks() -%}
    select
        reported_task.task_id,
        reported_task.subject_key,
        reported_task.former_keys
    from reported_task
    where {{ written_since('task', 'reported_task.run_number') }}
    union all
    select
        reported_task.task_id,
        reported_task.subject_key,
        reported_task.former_keys
    from reported_task
    where reported_task.task_id = any(array(
        select changed_verification.task_id from changed_verification
        union
        select jsonb_array_elements_text(changed_verification.former_task_ids)
        from changed_verification
        union
        select known.task_id
        from {{ this }} as known
        where known.sender_uuid = any(array(select changed_contact.uuid from changed_contact))
        union
        -- what is no place any more has no row that could have changed
        select known.task_id
        from {{ this }} as known
        where known.place_uuid = any(array(
            select changed_contact.uuid from changed_contact
            union
            select changed_place.place_uuid from changed_place
        ))
    ))
    union all
    select
        null,
        report.subject_key,
        report.former_keys
    from report
    where report.uuid = any(array(
        select changed_verification.report_id from changed_verification
    ))
    union all
    select
        null,
        changed_contact.uuid,
        null
    from changed_contact
{%- endmacro %}
