{#- Whether a resolver asks for more than a report's form. -#}
{% macro resolver_has_condition(resolver) -%}
    num_nonnulls(
        {{ resolver }}.condition, {{ resolver }}.source_path, {{ resolver }}.visit_path
    ) > 0
{%- endmacro %}
