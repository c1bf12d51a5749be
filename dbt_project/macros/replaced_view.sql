{#-
    A view that is replaced in place: dbt's `view` drops the former one with `cascade`, and published
    marts with it. Where its columns do not allow that, the former view is retired.
-#}
{% materialization replaced_view, adapter='postgres' %}
    {%- do raise_on_configs_except(['pre-hook', 'post-hook', 'persist_docs']) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not is_replaceable(existing, sql) -%}
        {%- do retire(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        create or replace view {{ target }} as (
            {{ sql }}
        )
    {%- endcall %}
    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- PostgreSQL replaces a view whose new columns begin with the old ones, names and types alike. -#}
{% macro is_replaceable(existing, sql) %}
    {%- if not existing.is_view %}{{ return(false) }}{% endif -%}
    {%- set old = columns_and_types('select * from ' ~ existing) -%}
    {{ return(columns_and_types(sql)[:old | length] == old) }}
{% endmacro %}

{% macro columns_and_types(sql) %}
    {%- set columns = [] -%}
    {%- for column in get_column_schema_from_query(sql) -%}
        {%- do columns.append(column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}
