{#-
    Why a verification that was made in the CHT answers nothing; null where it does. `roles` are
    those that may verify, `is_counted` whether verifications made in the CHT count.
-#}
{% macro verification_void_reason(report, roles, is_counted) -%}
    case
            when {{ report }}.outcome is null then 'no_outcome'
            when not ({{ is_counted }} and {{ report }}.sender_roles && {{ roles }})
                then 'not_authorised'
        end
{%- endmacro %}

{#- Whether a landed verification is this accepted one, and not edited in the CHT since. -#}
{% macro is_accepted_as(accepted, report) -%}
    {{ accepted }}.report_id = {{ report }}.report_id
    and {{ accepted }}.task_id = {{ report }}.task_id
    and {{ accepted }}.round = {{ report }}.round
    and {{ accepted }}.outcome = {{ report }}.outcome
{%- endmacro %}
