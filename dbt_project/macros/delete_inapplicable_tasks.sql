{#-
    Tasks whose source the definition does not apply to any more, and those of dropped definitions.
    Before the watermark of `task` moves on, so that a refresh that failed between the two loses none.
-#}
{% macro delete_inapplicable_tasks() %}
    {%- set candidates = ref('task_candidate') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as task
        where task.task_id = any(array(
            select task_candidate.task_id
            from {{ candidates }} as task_candidate
            where
                not task_candidate.is_applicable
                and {{ written_since('task', 'task_candidate.run_number') }}
        ));
    {%- endif -%}
    {{ delete_dropped_definitions() }}
{% endmacro %}
