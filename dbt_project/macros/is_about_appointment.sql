{#- Whether an answer of ours was given for what the task is about now; what is unknown agrees. -#}
{% macro is_about_appointment(verification, task) -%}
    coalesce({{ verification }}.appointment_on = {{ task }}.appointment_on, true)
        and coalesce({{ verification }}.patient_uuid = {{ task }}.patient_uuid, true)
{%- endmacro %}
