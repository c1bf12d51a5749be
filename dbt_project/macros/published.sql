{#-
    A published mart: a view that stays, over a materialized view with a unique index that is
    refreshed `concurrently`: no reader ever waits or finds a mart missing, and what analysts build
    on it stays too. (dbt-postgres locks readers out on refresh and ignores changed SQL.)

    What differs from one publication to the next in every row, `as_of` and the days counted to its
    day, is not stored but added by the view: a refresh compares all rows and writes those that
    differ. A hash of SQL and columns in the name of what is stored tells when they changed: then
    another is built, and the view is replaced.
-#}
{% materialization published, adapter='postgres' %}
    {%- set key = config.require('unique_key') -%}
    {%- set columns = get_column_schema_from_query(sql) -%}
    {%- set stored = stored_relation(sql ~ key ~ columns_in_words(columns)) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% do remember_publication() %}
    {%- if is_there(stored) %}
        {% call statement('main') -%}
            refresh materialized view concurrently {{ stored }}
        {%- endcall %}
    {%- else %}
        {% call statement('main') -%}
            create materialized view {{ stored }} as (
                select {{ stored_names(columns) | join(', ') }} from ({{ sql }}) as live
            );
            create unique index on {{ stored }} ({{ key | join(', ') }});
            {% for columns in config.get('indexes', []) -%}
                create index on {{ stored }} ({{ columns.columns | join(', ') }});
            {% endfor -%}
            analyze {{ stored }};
        {%- endcall %}
        {% do replace_view(load_cached_relation(this), shown(columns, stored)) %}
    {%- endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this.incorporate(type='view')]}) }}
{% endmaterialization %}

{% macro stored_relation(shape) %}
    {{ return(this.incorporate(
        path={
            'schema': 'worklist_build',
            'identifier': 'published_' ~ this.identifier ~ '_' ~ local_md5(shape)[:8],
        },
        type='materialized_view',
    )) }}
{% endmacro %}

{#- The columns that the view counts to the day of the publication, and how. -#}
{% macro counted_columns() %}
    {{ return({
        'days_since_appointment': 'publication.published_on - stored.appointment_on',
        'days_overdue': 'greatest(publication.published_on - stored.due_on, 0)',
    }) }}
{% endmacro %}

{% macro stored_names(columns) %}
    {{ return(columns | map(attribute='name') | reject('in', counted_columns()) | list) }}
{% endmacro %}

{% macro columns_in_words(columns) %}
    {%- set words = [] -%}
    {%- for column in columns -%}
        {%- do words.append(column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {{ return(words | join(', ')) }}
{% endmacro %}

{% macro shown(columns, stored) %}
    select
        {%- for column in columns %}
        {{ counted_columns().get(column.name, 'stored.' ~ column.name) }} as {{ column.name }},
        {%- endfor %}
        publication.as_of
    from {{ stored }} as stored
    cross join {{ source('build', 'publication') }} as publication
    where publication.mart = '{{ this.identifier }}'
{% endmacro %}

{% macro is_there(relation) %}
    {{ return(run_query("select to_regclass('" ~ relation ~ "') is not null").rows[0][0]) }}
{% endmacro %}

{#- In the transaction of the refresh, so that a mart and its moment change together. -#}
{% macro remember_publication() %}
    {% call statement('publication') -%}
        insert into {{ source('build', 'publication') }} (mart, as_of, published_on)
        values ('{{ this.identifier }}', app.worklist_now(), app.today())
        on conflict (mart) do update
        set as_of = excluded.as_of, published_on = excluded.published_on
    {%- endcall %}
{% endmacro %}
