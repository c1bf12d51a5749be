{#- The one place that says in which standing a task of int_task_answered is on the day of reading; by
    the column `answered_in`, the round of the answer that counts. -#}
{% macro standing(task, answered_in='verification_round') -%}
case
            when {{ task }}.{{ answered_in }} is not null then 'verified'
            when {{ task }}.is_withdrawn and {{ task }}.resolved_by_report is null then 'withdrawn'
            when {{ task }}.excluded_reason is not null then 'excluded'
            when {{ task }}.resolved_by_form = '{{ var("verification_form") }}' then 'verified'
            when {{ task }}.resolved_by_report is not null then 'resolved'
            when {{ task }}.opens_on > {{ task }}.today then 'upcoming'
            when {{ task }}.closes_on < {{ task }}.today then 'expired'
            else 'open'
        end
{%- endmacro %}
