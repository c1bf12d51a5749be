{#- Whether the CHT's rules engine reads a day from this document's `reported_date`. -#}
{% macro is_dated_for_the_cht(content) -%}
    (
        jsonb_typeof({{ content }} -> 'reported_date') = 'number'
        or {{ content }} ->> 'reported_date' like '____-__-__%'
    )
{%- endmacro %}
