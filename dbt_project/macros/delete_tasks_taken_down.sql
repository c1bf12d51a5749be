{#-
    Tasks whose source the definition does not apply to any more, and those of dropped definitions.
    Before the watermark of `task` moves on, so that a refresh that failed between the two loses none.
-#}
{% macro delete_tasks_taken_down() %}
    {%- set task_sources = ref('task_source') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as task
        where task.task_id = any(array(
            select task_source.task_id
            from {{ task_sources }} as task_source
            where
                not task_source.is_applicable
                and {{ written_since('task', 'task_source.run_number') }}
        ));
    {%- endif -%}
    {{ delete_dropped_definitions() }}
{% endmacro %}
