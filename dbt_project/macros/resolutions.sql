{#-
    What resolves each task of `asked`: the report and its moment. Of the alternatives of resolvedIf
    the one that came first; an alternative is there when the last of its reports is. A report that
    names a task resolves that task and no other; verifications are no such reports (`answered`).
-#}
{% macro resolutions() -%}
    select distinct on (alternative.task_id)
        alternative.task_id,
        alternative.resolved_by_report,
        alternative.resolved_by_form,
        alternative.resolved_at
    from (
        select
            found.task_id,
            (array_agg(found.uuid order by found.reported_at desc, found.uuid))[1]
                as resolved_by_report,
            (array_agg(found.form order by found.reported_at desc, found.uuid))[1]
                as resolved_by_form,
            max(found.reported_at) as resolved_at
        from (
            select distinct on (asked.task_id, task_resolver.resolver)
                asked.task_id,
                asked.definition,
                task_resolver.alternative,
                report.uuid,
                report.form,
                report.reported_at
            from asked
            inner join task_resolver
                on asked.definition = task_resolver.definition
                and task_resolver.form <> '{{ var("verification_form") }}'
            inner join report
                on asked.subject_key = report.subject_key
                and task_resolver.form = report.form
            where
                not asked.is_deleted
                and asked.source_id <> report.uuid
                and coalesce(report.named_task_id, asked.task_id) = asked.task_id
                and {{ resolves('asked', 'task_resolver', 'report') }}
            order by asked.task_id, task_resolver.resolver, report.reported_at, report.uuid
        ) as found
        group by found.task_id, found.definition, found.alternative
        having count(*) = (
            select count(*)
            from task_resolver
            where
                task_resolver.definition = found.definition
                and task_resolver.alternative = found.alternative
        )
    ) as alternative
    order by
        alternative.task_id, alternative.resolved_at, alternative.resolved_by_report
{%- endmacro %}

{#-
    Whether a report resolves a task by its time and by what the resolver asks of it. (The offset:
    looked up for each, never all of them read.)
-#}
{% macro resolves(task, resolver, report) -%}
    not {{ report }}.is_deleted
                and not {{ report }}.is_flagged_deleted
                and case
                    when not {{ resolver }}.is_default
                        then {{ report }}.reported_at
                            > coalesce({{ task }}.counts_from, '-infinity')
                    when {{ task }}.is_contact
                        then {{ report }}.reported_at
                            between {{ task }}.opens_at and {{ task }}.closes_at
                    else {{ report }}.reported_at between greatest(
                        {{ task }}.opens_at, {{ task }}.counts_from + interval '1 millisecond'
                    ) and {{ task }}.closes_at
                end
                and (
                    not {{ has_condition(resolver) }}
                    or exists (
                        select from report_finding
                        where
                            report_finding.uuid = {{ report }}.uuid
                            and report_finding.definition = {{ resolver }}.definition
                            and report_finding.resolver = {{ resolver }}.resolver
                            and (
                                {{ resolver }}.source_path is null
                                or report_finding.source_reference = {{ task }}.source_id
                            )
                            and (
                                {{ resolver }}.visit_path is null
                                or report_finding.visit_on >= {{ task }}.visits_from
                            )
                        offset 0
                    )
                )
{%- endmacro %}
