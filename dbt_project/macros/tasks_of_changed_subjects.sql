{#-
    Two CTEs: the subjects that `changed`, and each `task` that applies to one of them, or in a full
    refresh to any.
-#}
{% macro tasks_of_changed_subjects() -%}
changed as materialized (
    select * from {{ ref('int_changed_subject') }}
),

task as materialized (
    select reported_task.*
    from {{ ref('reported_task') }} as reported_task
    where
        reported_task.is_applicable
        {% if is_incremental() -%}
        and (
            reported_task.subject_key = any(array(select changed.subject_key from changed))
            or reported_task.task_id = any(array(select changed.subject_key from changed))
        )
        {%- endif %}
)
{%- endmacro %}
