{#-
    The verification reports of `verification` with the appointment that each answers, or why it
    answers nothing. One that names a task answers the appointment that the task was about when it
    was given: where the report was edited since to another day, not that of the task now. About
    another patient than the task that it names, it answers nothing, unless it was accepted here
    before the report was edited. One that names none answers what a report of its form resolves in
    the CHT.
-#}
{% macro answered() -%}
    select
        verification.*,
        named.task_id as named_task_id,
        named.appointment_key as named_key,
        case
            when
                verification.subject_uuid <> named.subject_uuid
                and not {{ is_accepted_here('verification') }}
                then null
            when verification.subject_uuid <> named.subject_uuid then {{ appointment_key(
                'named.series', 'verification.subject_uuid', 'verification.appointment_on'
            ) }}
            when
                verification.appointment_on is null
                or task_definition.appointment_path is null
                or verification.appointment_on = named.appointment_on
                then named.appointment_key
            else {{ appointment_key(
                'named.series', 'named.subject_uuid', 'verification.appointment_on'
            ) }}
        end as answered_key,
        {{ void_reason(
            'verification', 'task_definition.roles', 'task_definition.is_verified_in_cht'
        ) }} as void_reason
    from verification
    inner join reported_task as named
        on verification.task_id = named.task_id
    inner join task_definition
        on named.definition = task_definition.name

    union all

    select
        verification.*,
        null,
        null,
        asked.appointment_key,
        {{ void_reason(
            'verification', 'task_definition.roles', 'task_definition.is_verified_in_cht'
        ) }}
    from verification
    inner join asked
        on verification.subject_key = asked.subject_key
    inner join report
        on verification.report_id = report.uuid
    inner join task_definition
        on asked.definition = task_definition.name
    inner join task_resolver
        on asked.definition = task_resolver.definition
        and task_resolver.form = report.form
    where
        verification.task_id is null
        and coalesce(verification.appointment_on = asked.appointment_on, true)
        and {{ resolves('asked', 'task_resolver', 'report') }}
{%- endmacro %}
