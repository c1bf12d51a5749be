{#-
    dbt's own view materialization drops and recreates, and the drop takes published marts with it.
    Ours replaces in place; when columns changed in a way that PostgreSQL does not replace, the view
    is retired, and published marts go on reading it until they are built anew.
-#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% do replace_view(existing, sql) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro replace_view(existing, sql) %}
    {%- set target = this.incorporate(type='view') -%}
    {%- if existing is not none and not can_replace(existing, sql) %}
        {% do retire(existing) %}
    {%- endif %}
    {% call statement('main') -%}
        create or replace view {{ target }} as (
            {{ sql }}
        )
    {%- endcall %}
    {% do persist_docs(target, model) %}
{% endmacro %}

{#- PostgreSQL replaces a view whose new columns begin with the old ones, names and types alike. -#}
{% macro can_replace(existing, sql) %}
    {%- if not existing.is_view %}{{ return(false) }}{% endif -%}
    {%- set old = get_column_schema_from_query('select * from ' ~ existing) -%}
    {%- set new = get_column_schema_from_query(sql) -%}
    {%- if new | length < old | length %}{{ return(false) }}{% endif -%}
    {%- for column in old -%}
        {%- if column.name != new[loop.index0].name
            or column.data_type != new[loop.index0].data_type -%}
            {{ return(false) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(true) }}
{% endmacro %}
