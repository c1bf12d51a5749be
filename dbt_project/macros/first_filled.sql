{#- The first of these texts that is neither null nor empty: what JavaScript's `||` gives. -#}
{% macro first_filled(expressions) -%}
    coalesce(
        {%- for expression in expressions %}
        nullif({{ expression }}, ''){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
