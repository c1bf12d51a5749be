{#- The configured schema as it is, without dbt's prefix of the target. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}

{#- A mart has the same name in two schemas; of its two models, the live one has a prefix. -#}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {{ custom_alias_name or node.name.removeprefix('live_') }}
{%- endmacro %}
