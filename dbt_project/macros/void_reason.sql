{#-
    Whether a landed verification is one that was accepted here, with what was accepted: somebody may
    have edited it in the CHT since. (The offsets: looked up for each, never all of them read.)
-#}
{% macro is_accepted_here(report) -%}
    exists (
            select from {{ source('app', 'outbox') }} as sent
            cross join lateral (
                select from {{ source('app', 'verification') }} as given
                where
                    given.verification_id = sent.verification_id
                    and given.task_id = {{ report }}.task_id
                    and given.round = {{ report }}.round
                    and given.outcome = {{ report }}.outcome
                offset 0
            ) as accepted
            where sent.report_id = {{ report }}.report_id
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
