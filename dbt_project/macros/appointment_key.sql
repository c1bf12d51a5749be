{#-
    Reports with the same key are about the same appointment; none where patient or day is unknown.
    `series` is what a definition asks: one of its events, of schedules one of their elements.
-#}
{% macro appointment_key(series, patient, day) -%}
    ({{ series }} || '~' || {{ patient }} || '~' || {{ day }}::text)
{%- endmacro %}
