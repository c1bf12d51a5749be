{#- Tasks whose report the definition does not apply to any more, and those of dropped definitions. -#}
{% macro delete_tasks_taken_down() %}
    delete from {{ this }} as task
    where
        exists (
            select from {{ ref('task_source') }} as task_source
            where
                task_source.task_id = task.task_id
                and task_source.run_number = {{ this_run() }}
                and not task_source.is_applicable
        )
        or not exists (
            select from {{ source('app', 'task_definition') }} as task_definition
            where task_definition.name = task.definition
        )
{% endmacro %}
