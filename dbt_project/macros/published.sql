{#-
    A published mart: a materialized view with a unique index, which no reader ever waits for or
    finds missing. Unchanged SQL: `refresh concurrently`. Changed SQL: the new one is built beside
    the old and swapped in. The unique index carries a hash of SQL and columns in its name, which
    is how a change is noticed. (dbt-postgres locks readers out on refresh and ignores changed SQL.)
-#}
{% materialization published, adapter='postgres' %}
    {%- set key = config.require('unique_key') -%}
    {%- set key = [key] if key is string else key -%}
    {%- set target = this.incorporate(type='materialized_view') -%}
    {%- set shape = sql ~ key ~ config.get('indexes', []) ~ column_names_and_types(sql) -%}
    {%- set index = this.identifier ~ '_key_' ~ local_md5(shape)[:10] -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and has_index(this.schema, index) %}
        {% call statement('main') -%}
            refresh materialized view concurrently {{ target }}
        {%- endcall %}
    {%- else %}
        {%- set fresh = this.incorporate(path={'identifier': this.identifier ~ '__fresh'}) -%}
        {% call statement('main') -%}
            drop materialized view if exists {{ fresh }};
            create materialized view {{ fresh }} as ({{ sql }});
            create unique index {{ index }} on {{ fresh }} ({{ key | join(', ') }});
            {% for columns in config.get('indexes', []) -%}
                create index on {{ fresh }} ({{ columns.columns | join(', ') }});
            {% endfor -%}
            drop {{ 'view' if existing and existing.is_view else 'materialized view' }}
                if exists {{ target }};
            alter materialized view {{ fresh }} rename to {{ this.identifier }};
        {%- endcall %}
        {% do persist_docs(target, model) %}
    {%- endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro has_index(schema, index) %}
    {%- set found = run_query(
        "select 1 as found from pg_indexes where schemaname = '" ~ schema
        ~ "' and indexname = '" ~ index ~ "'"
    ) -%}
    {{ return(found | length > 0) }}
{% endmacro %}

{% macro column_names_and_types(sql) %}
    {%- set columns = [] -%}
    {%- for column in get_column_schema_from_query(sql) -%}
        {%- do columns.append(column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {{ return(columns | join(', ')) }}
{% endmacro %}
