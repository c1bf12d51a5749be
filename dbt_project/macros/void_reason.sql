{#-
    The one place that says why a verification report answers nothing; null where it does.
    `roles` are those that may verify, `is_counted` whether verifications made in the CHT count. What
    was accepted here was checked here. (The offset: looked up for each, never all of them read.)
-#}
{% macro void_reason(report, roles, is_counted) -%}
    case
        when {{ report }}.outcome is null then 'no_outcome'
        when exists (
            select from {{ source('app', 'outbox') }} as own
            where own.report_id = {{ report }}.report_id
            offset 0
        ) then null
        when not ({{ is_counted }} and {{ report }}.sender_roles && {{ roles }})
            then 'not_authorised'
    end
{%- endmacro %}
