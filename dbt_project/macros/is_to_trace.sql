{# Whether a task's verification says that the patient has to be looked for. #}
{% macro is_to_trace(task) -%}
{{ task }}.verification_outcome = 'not_visited'
        and {{ task }}.excluded_reason is null
        and coalesce({{ task }}.verification_reason, '') not in (
            '{{ var("reasons_not_to_trace") | join("', '") }}'
        )
{%- endmacro %}
