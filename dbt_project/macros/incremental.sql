{#-
    Tables that grow: what is fresh replaces the rows of the same key, in one transaction. dbt's own
    materialization does the same and asks for the columns of both tables four times, which takes
    longer than the rest of a small refresh. A table built from nothing is dbt's work still; it is
    analyzed at once, because the models after it are planned before autovacuum comes by.
-#}
{% materialization incremental, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or existing.is_view or should_full_refresh() -%}
        {%- set built = dbt.materialization_incremental_default() -%}
        {% call statement('analyze') %}analyze {{ this }}{% endcall %}
        {{ adapter.commit() }}
        {{ return(built) }}
    {%- endif -%}
    {%- set key = config.require('unique_key') -%}
    {%- set fresh = adapter.quote(this.identifier ~ '__fresh') -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('fresh') -%}
        create temporary table {{ fresh }} on commit drop as ({{ sql }})
    {%- endcall %}
    {%- set columns = columns_of_both(fresh) -%}
    {% call statement('main') -%}
        delete from {{ this }} as known
        using {{ fresh }} as fresh
        where known.{{ key }} = fresh.{{ key }};
        insert into {{ this }} ({{ columns }})
        select {{ columns }} from {{ fresh }};
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{#- The columns of the table and of its fresh rows; fails where they differ in name or type. -#}
{% macro columns_of_both(fresh) %}
    {%- set found = run_query(
        "select
            string_agg(quote_ident(attname), ', ' order by attnum)
                filter (where attrelid = '" ~ fresh ~ "'::regclass),
            array_agg(attname || ' ' || atttypid::regtype order by attname)
                filter (where attrelid = '" ~ fresh ~ "'::regclass)
            = array_agg(attname || ' ' || atttypid::regtype order by attname)
                filter (where attrelid = '" ~ this ~ "'::regclass)
        from pg_attribute
        where
            attrelid in ('" ~ fresh ~ "'::regclass, '" ~ this ~ "'::regclass)
            and attnum > 0
            and not attisdropped"
    ) -%}
    {%- if not found.rows[0][1] -%}
        {{ exceptions.raise_compiler_error(
            'The columns of ' ~ this ~ ' changed: run `dbt run --full-refresh`.'
        ) }}
    {%- endif -%}
    {{ return(found.rows[0][0]) }}
{% endmacro %}
