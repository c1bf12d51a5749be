{#- The definitions, as they are, that every document and task was asked for. -#}
{% macro remember_definitions() %}
    delete from {{ source('build', 'refreshed_definition') }};
    insert into {{ source('build', 'refreshed_definition') }} (definition, hash)
    select task_definition.name, task_definition.hash
    from {{ source('app', 'task_definition') }} as task_definition
{% endmacro %}

{#- What comes of definitions that stand in tasks.yml no more. -#}
{% macro delete_dropped_definitions() %}
    {%- set before, definitions = source('build', 'refreshed_definition'), source('app', 'task_definition') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        where known.definition = any(array(
            select refreshed_definition.definition
            from {{ before }} as refreshed_definition
            where not exists (
                select from {{ definitions }} as task_definition
                where task_definition.name = refreshed_definition.definition
            )
        ))
    {%- endif -%}
{% endmacro %}

{#- Whether a definition is not as it was when every task was last asked for, or is gone. -#}
{% macro is_changed_definition(name) -%}
    not exists (
        select from {{ source('build', 'refreshed_definition') }} as before
        inner join {{ source('app', 'task_definition') }} as definition
            on before.definition = definition.name
            and before.hash = definition.hash
        where before.definition = {{ name }}
    )
{%- endmacro %}

{#- What comes of events that a definition, changed or dropped since, asks for no more. -#}
{% macro delete_dropped_events() %}
    {{ delete_dropped_definitions() }}
    {%- if is_incremental() -%}
        ;
        delete from {{ this }} as known
        where
            known.definition = any(array(
                select task_definition.name
                from {{ source('app', 'task_definition') }} as task_definition
                where {{ is_changed_definition('task_definition.name') }}
            ))
            and not exists (
                select from {{ source('app', 'task_event') }} as task_event
                where
                    task_event.definition = known.definition
                    and task_event.event = known.event
            )
    {%- endif -%}
{% endmacro %}
