{#-
    The incremental strategy `lookup_insert`: dbt's `delete+insert`, but by an array, for which
    PostgreSQL always uses the index; of a subquery's rows it expects so many that it reads tables
    through.
-#}
{% macro get_incremental_lookup_insert_sql(arguments) %}
    {%- if arguments.incremental_predicates -%}
        {{ exceptions.raise_compiler_error(
            'The strategy lookup_insert does not honour `incremental_predicates`: remove them from '
            ~ model.name ~ '.'
        ) }}
    {%- endif -%}
    {%- set key = arguments.unique_key -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ arguments.target_relation }} as known
    where known.{{ key }} = any(array(
        select fresh.{{ key }} from {{ arguments.temp_relation }} as fresh
    ));
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{% endmacro %}
