{#-
    Tables that grow: what is fresh replaces the rows of the same key, in one transaction. dbt's own
    materialization does the same and asks for the columns of both tables four times, which takes
    longer than the rest of a small refresh.

    From nothing, or anew: the columns must be those of the model's contract. The table that was
    there is retired, so that who reads it through a view goes on reading it until the view is
    replaced. The new one is analyzed at once, because the models after it are planned before
    autovacuum comes by.
-#}
{% materialization incremental, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is none or existing.is_view or should_full_refresh() -%}
        {%- if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif -%}
        {% do retire(existing) %}
        {% call statement('main') -%}
            create table {{ target }} as ({{ sql }})
        {%- endcall %}
        {% do create_indexes(target) %}
        {% call statement('analyze') %}analyze {{ target }}{% endcall %}
    {%- else -%}
        {% do replace_rows(config.require('unique_key'), sql) %}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro replace_rows(key, sql) %}
    {%- set fresh = adapter.quote(this.identifier ~ '__fresh') -%}
    {% call statement('fresh') -%}
        create temporary table {{ fresh }} on commit drop as ({{ sql }})
    {%- endcall %}
    {%- set columns = columns_of_both(fresh) -%}
    {% call statement('main') -%}
        -- an array, since the planner takes it for short: by the index, never by a scan
        delete from {{ this }} as known
        where known.{{ key }} = any(array(select fresh.{{ key }} from {{ fresh }} as fresh));
        insert into {{ this }} ({{ columns }})
        select {{ columns }} from {{ fresh }};
    {%- endcall %}
{% endmacro %}

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
