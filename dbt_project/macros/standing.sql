{#- The one place that says in which standing a task of int_task_answered is on the day `today`. -#}
{% macro standing(task, today) -%}
case
            when {{ task }}.verification_round is not null then 'verified'
            when {{ task }}.is_withdrawn and {{ task }}.resolved_by_report is null then 'withdrawn'
            when {{ task }}.excluded_reason is not null then 'excluded'
            when {{ task }}.resolved_by_form = '{{ var("verification_form") }}' then 'verified'
            when {{ task }}.resolved_by_report is not null then 'resolved'
            when {{ task }}.opens_on > {{ today }} then 'upcoming'
            when {{ task }}.closes_on < {{ today }} then 'expired'
            else 'open'
        end
{%- endmacro %}
