{#- The definitions, as they are, that all tasks were derived from. -#}
{% macro remember_definitions() %}
    delete from {{ source('build', 'refreshed_definition') }};
    insert into {{ source('build', 'refreshed_definition') }} (definition, hash)
    select task_definition.name, task_definition.hash
    from {{ source('app', 'task_definition') }} as task_definition
{% endmacro %}

{#- Deletes the rows of definitions that tasks.yml no longer contains. -#}
{% macro delete_dropped_definitions() %}
    {%- set changed_definitions = ref('int_changed_definition') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        where known.definition = any(array(
            select changed.definition
            from {{ changed_definitions }} as changed
            where changed.is_dropped
        ))
    {%- endif -%}
{% endmacro %}

{#- Deletes the rows of events that a changed or dropped definition no longer contains. -#}
{% macro delete_dropped_events() %}
    {%- set changed_definitions = ref('int_changed_definition') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        where
            known.definition = any(array(
                select changed.definition from {{ changed_definitions }} as changed
            ))
            and not exists (
                select from {{ source('app', 'task_event') }} as task_event
                where
                    task_event.definition = known.definition
                    and task_event.event = known.event
            )
    {%- endif -%}
{% endmacro %}
