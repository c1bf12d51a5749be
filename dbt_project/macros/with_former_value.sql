{#-
    The values that a row of `known` had before, as a JSON array: those that it remembers in `former`
    and its last one. What belonged to an earlier value is found by it, although the row itself has
    moved on. (JSON, since dbt's unit tests cannot give an array to a column.)
-#}
{% macro with_former_value(former, last) -%}
    case
        when known.{{ last }} is null or known.{{ former }} ? known.{{ last }}
            then coalesce(known.{{ former }}, '[]')
        else coalesce(known.{{ former }}, '[]') || to_jsonb(known.{{ last }})
    end
{%- endmacro %}
