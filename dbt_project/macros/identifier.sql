{#-
    A text that is looked up by an index, which takes no text of any length. What is longer names
    nothing that a CHT knows.
-#}
{% macro identifier(expression) -%}
    left({{ expression }}, 250)
{%- endmacro %}

{#- Whether a text can be looked up as it is, which is missing where it is missing. -#}
{% macro is_identifier(expression) -%}
    coalesce(length({{ expression }}) <= 250, true)
{%- endmacro %}
