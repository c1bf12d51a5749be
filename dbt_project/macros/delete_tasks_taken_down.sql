{#-
    Tasks whose source the definition does not apply to any more, and those of dropped definitions.
    Before the watermark of `task` moves on, so that a refresh that failed between the two loses none.
-#}
{% macro delete_tasks_taken_down() %}
    {%- set task_sources, definitions = ref('task_source'), source('app', 'task_definition') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as task
        using {{ task_sources }} as task_source
        where
            task.task_id = task_source.task_id
            and not task_source.is_applicable
            and task_source.run_number > {{ run_before(this.identifier) }};
        delete from {{ this }} as task
        where not exists (
            select from {{ definitions }} as task_definition
            where task_definition.name = task.definition
        )
    {%- endif -%}
{% endmacro %}
