{#-
    Whether a landed verification is one that was accepted here, with what was accepted: somebody may
    have edited it in the CHT since. (The offset: looked up for each, never all of them read.)
-#}
{% macro is_accepted_here(report) -%}
    exists (
            select from {{ source('app', 'outbox') }} as sent
            inner join {{ source('app', 'verification') }} as accepted
                on sent.verification_id = accepted.verification_id
            where
                sent.report_id = {{ report }}.report_id
                and accepted.task_id = {{ report }}.task_id
                and accepted.round = {{ report }}.round
                and accepted.outcome = {{ report }}.outcome
            offset 0
        )
{%- endmacro %}

{#-
    The one place that says why a verification report answers nothing; null where it does.
    `roles` are those that may verify, `is_counted` whether verifications made in the CHT count. What
    was accepted here was checked here.
-#}
{% macro void_reason(report, roles, is_counted) -%}
    case
        when {{ report }}.outcome is null then 'no_outcome'
        when {{ is_accepted_here(report) }} then null
        when not ({{ is_counted }} and {{ report }}.sender_roles && {{ roles }})
            then 'not_authorised'
    end
{%- endmacro %}
