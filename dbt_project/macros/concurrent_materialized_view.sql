{#-
    A materialized view that is refreshed `concurrently`, so that no reader waits: dbt's
    `materialized_view` locks readers out and ignores changed SQL. The unique index that this needs
    carries a hash of SQL, columns and indexes in its name; when they change, or something that the
    view reads was retired, the view is retired and rebuilt.
-#}
{% materialization concurrent_materialized_view, adapter='postgres' %}
    {%- do raise_on_configs_except(
        ['full_refresh', 'indexes', 'persist_docs', 'post-hook', 'pre-hook', 'unique_key']
    ) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='materialized_view') -%}
    {%- set index = unique_index_name(sql) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if is_current(existing, index) and not should_full_refresh() %}
        {% call statement('main') -%}
            refresh materialized view concurrently {{ target }}
        {%- endcall %}
    {%- else %}
        {% do retire(existing) %}
        {% call statement('main') -%}
            create materialized view {{ target }} as ({{ sql }});
            drop index if exists {{ this.schema }}.{{ index }};
            create unique index {{ index }} on {{ target }} (
                {{ unique_columns() | join(', ') }}
            );
            analyze {{ target }}
        {%- endcall %}
        {% do create_indexes(target) %}
    {%- endif %}
    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro unique_columns() %}
    {%- set key = config.require('unique_key') -%}
    {{ return([key] if key is string else key) }}
{% endmacro %}

{#- The same in every database, since databases are copied. -#}
{% macro unique_index_name(sql) %}
    {%- set without_database = sql.replace('"' ~ this.database ~ '".', '') -%}
    {%- set hash = local_md5(
        without_database ~ columns_and_types(sql) ~ unique_columns() ~ config.get('indexes')
    ) -%}
    {{ return(this.identifier ~ '_key_' ~ hash[:10]) }}
{% endmacro %}

{% macro is_current(existing, index) %}
    {%- if existing is none or not existing.is_materialized_view %}{{ return(false) }}{% endif -%}
    {%- set found = run_query(
        "select 1 from pg_indexes where schemaname = '" ~ this.schema
        ~ "' and tablename = '" ~ this.identifier ~ "' and indexname = '" ~ index ~ "'"
    ) -%}
    {{ return(found | length > 0 and not reads_retired(existing)) }}
{% endmacro %}
