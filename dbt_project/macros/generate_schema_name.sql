{#- A schema is called what it is called, whoever runs dbt. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}

{#- The same mart stands in two schemas, live and published; models say which by a prefix. -#}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {{ custom_alias_name or node.name.removeprefix('live_') }}
{%- endmacro %}
