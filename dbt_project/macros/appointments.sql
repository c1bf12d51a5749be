{#-
    The appointments of `asked`: of several reports about one the earliest that is not withdrawn
    carries the task. Its window holds those of all; a report that would still be open by itself
    keeps it open (`unresolved_until`). No task where all are withdrawn.
-#}
{% macro appointments() -%}
    select
        asked.appointment_key,
        array_agg(asked.task_id order by asked.task_id) as task_ids,
        (
            array_agg(asked.task_id order by asked.counts_from, asked.task_id)
            filter (where not asked.is_withdrawn)
        )[1] as task_id,
        min(asked.opens_on) filter (where not asked.is_withdrawn) as opens_on,
        max(asked.closes_on) filter (where not asked.is_withdrawn) as closes_on,
        count(*) filter (where not asked.is_withdrawn)::integer as report_count,
        max(asked.reported_at) filter (where not asked.is_withdrawn) as last_reported_at,
        max(asked.closes_on) filter (
            where not asked.is_withdrawn and asked.resolved_by_report is null
        ) as unresolved_until,
        {% for column in ['resolved_by_report', 'resolved_by_form', 'resolved_at'] -%}
        (
            array_agg(
                asked.{{ column }} order by asked.resolved_at desc nulls last, asked.task_id
            ) filter (where not asked.is_withdrawn and asked.resolved_by_report is not null)
        )[1] as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from asked
    group by asked.appointment_key
{%- endmacro %}
