{#-
    What a published mart is made of: a materialized view with a unique index, refreshed
    `concurrently`, so that no reader ever waits. When its SQL or columns change, it is retired and
    another built; marts read the old one until they are replaced. The unique index carries a hash
    of SQL and columns in its name, which is how a change is noticed. (dbt-postgres locks readers
    out on refresh and ignores changed SQL.)
-#}
{% materialization stored, adapter='postgres' %}
    {%- set key = config.require('unique_key') -%}
    {%- set target = this.incorporate(type='materialized_view') -%}
    {%- set anywhere = sql.replace('"' ~ this.database ~ '".', '') -%}
    {%- set shape = anywhere ~ key ~ config.get('indexes', []) ~ column_names_and_types(sql) -%}
    {%- set index = this.identifier ~ '_key_' ~ local_md5(shape)[:10] -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% do remember_publication() %}
    {%- if existing is not none and has_index(this.schema, index) %}
        {% call statement('main') -%}
            refresh materialized view concurrently {{ target }}
        {%- endcall %}
    {%- else %}
        {% do retire(existing) %}
        {% call statement('main') -%}
            create materialized view {{ target }} as ({{ sql }});
            create unique index {{ index }} on {{ target }} ({{ key | join(', ') }});
            {% for columns in config.get('indexes', []) -%}
                create index on {{ target }} ({{ columns.columns | join(', ') }});
            {% endfor -%}
            analyze {{ target }};
        {%- endcall %}
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

{#- In the transaction of the refresh, so that rows and their moment change together. -#}
{% macro remember_publication() %}
    {% call statement('publication') -%}
        insert into {{ source('build', 'publication') }} (model, as_of, published_on)
        values ('{{ this.identifier }}', app.worklist_now(), app.today())
        on conflict (model) do update
        set as_of = excluded.as_of, published_on = excluded.published_on
    {%- endcall %}
{% endmacro %}

{#-
    The moment that a mart is of, and its day. They are no columns of what is stored, nor are the
    days counted to them: these differ in every row each time, and a refresh writes what differs.
-#}
{% macro moment_of(model) -%}
    (
        select
            publication.as_of,
            publication.published_on
        from {{ source('build', 'publication') }} as publication
        where publication.model = '{{ model }}'
    )
{%- endmacro %}
