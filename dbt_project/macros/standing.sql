{#- The one place that says in which standing a task of int_task_answered is on the day of reading; by
    the column `round`, that of the answer that counts. -#}
{% macro standing(task, round='verification_round') -%}
case
            when {{ task }}.appointment_task_id <> {{ task }}.task_id then 'repeated'
            when {{ task }}.is_withdrawn and {{ task }}.resolved_by_report is null then 'withdrawn'
            when {{ task }}.{{ round }} is not null then 'verified'
            when {{ task }}.excluded_reason is not null then 'excluded'
            when {{ task }}.resolved_by_report is not null then 'resolved'
            when {{ task }}.opens_on > {{ task }}.today then 'upcoming'
            when {{ task }}.closes_on < {{ task }}.today then 'expired'
            else 'open'
        end
{%- endmacro %}
