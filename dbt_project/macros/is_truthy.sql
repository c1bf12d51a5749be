{#- Whether JavaScript would take this JSON value for true. -#}
{% macro is_truthy(value) -%}
    coalesce({{ value }} not in ('null', 'false', '0', '""'), false)
{%- endmacro %}
