{#- The elements of a JSON array; none where the value is anything else. -#}
{% macro elements(value) -%}
    jsonb_array_elements(
        case jsonb_typeof({{ value }}) when 'array' then {{ value }} else '[]'::jsonb end
    )
{%- endmacro %}

{#- A JSON array of texts as an array; empty where the value is anything else. -#}
{% macro texts(value) -%}
    array(select element.entry #>> '{}' from {{ elements(value) }} as element (entry))
{%- endmacro %}

{#- A JSON object as it is; an empty one where the value is anything else. -#}
{% macro members(value) -%}
    case jsonb_typeof({{ value }}) when 'object' then {{ value }} else '{}'::jsonb end
{%- endmacro %}
