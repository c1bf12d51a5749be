{#- Reports with the same key are about the same appointment; none where patient or day is unknown. -#}
{% macro appointment_key(definition, event, patient, day) -%}
    ({{ definition }} || '~' || {{ event }} || '~' || {{ patient }} || '~' || {{ day }}::text)
{%- endmacro %}
