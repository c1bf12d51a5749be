-- What definitions ask of reports beyond their form: a row per report and resolver whose condition
-- it meets, and one per report of a trace that says what was found (without a resolver).
with document as (
    select * from {{ ref('stg_document') }}
),

task_resolver as (
    select * from {{ source('app', 'task_resolver') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
),

asking as materialized (
    select
        task_resolver.definition,
        task_resolver.resolver,
        task_resolver.form,
        task_resolver.condition,
        task_resolver.source_path,
        task_resolver.visit_path,
        null::text[] as outcome_path
    from task_resolver
    where {{ resolver_has_condition('task_resolver') }}
    union all
    select
        task_definition.name,
        null,
        unnest(task_definition.tracing_forms),
        null,
        null,
        null,
        task_definition.trace_outcome_path
    from task_definition
    where task_definition.trace_outcome_path is not null
)

select
    document.uuid,
    asking.definition,
    asking.resolver,
    document.content #>> asking.source_path as source_reference,
    app.read_day(document.content #>> asking.visit_path, programme.timezone) as visit_on,
    nullif(document.content #>> asking.outcome_path, '') as trace_outcome
from document
cross join programme
inner join asking
    on document.content ->> 'form' = asking.form
where
    document.content ->> 'type' = 'data_record'
    and (
        asking.condition is null
        or jsonb_path_match_tz(document.content, asking.condition, '{}', true)
    )
