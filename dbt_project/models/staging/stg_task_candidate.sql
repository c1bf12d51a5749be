-- A row per event of every definition that applies to a document; where it applies to scheduled
-- tasks, per event and element. Predicates and paths find the element at `scheduled_task`.
with document as (
    select * from {{ ref('stg_document') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

task_event as (
    select * from {{ source('app', 'task_event') }}
),

-- The empty type means every type, so that one join by equality finds all definitions of a
-- document. Materialized, or the planner would pair all with all and look at types last.
asking as materialized (
    select
        task_definition.name,
        task_definition.applies_to,
        task_definition.applies_if,
        task_definition.appointment_path,
        task_definition.contact_label_path,
        case task_definition.applies_to when 'contacts' then 'contact ' else 'report ' end
            || asked.type as kind
    from task_definition
    cross join lateral unnest(coalesce(task_definition.applies_to_type, '{""}')) as asked (type)
),

typed as (
    select
        document.uuid,
        document.content,
        {{ is_contact("document.content") }} as is_contact,
        case
            when {{ is_contact("document.content") }} then array[
                'contact ', 'contact ' || {{ contact_type("document.content") }}
            ]
            else array['report ', 'report ' || (document.content ->> 'form')]
        end as kinds
    from document
    where
        {{ is_contact("document.content") }}
        or {{ is_report("document.content") }}
),

matched as (
    select
        typed.uuid,
        typed.is_contact,
        asking.name as definition,
        asking.applies_if,
        asking.appointment_path,
        asking.contact_label_path,
        element.position - 1 as element_index,
        case
            when element.position is null then typed.content
            else typed.content || jsonb_build_object('scheduled_task', element.entry)
        end as content
    from typed
    cross join lateral unnest(typed.kinds) as own (kind)
    inner join asking
        on own.kind = asking.kind
    left join lateral
        {{ elements("typed.content -> 'scheduled_tasks'") }}
        with ordinality as element (entry, position)
        on asking.applies_to = 'scheduled_tasks'
    where (asking.applies_to = 'scheduled_tasks') = (element.position is not null)
),

-- a report clears what of a group is still to be sent, so any element of the group tells
grouped as (
    select
        matched.*,
        case
            when matched.content -> 'scheduled_task' ->> 'state' = 'cleared'
                then matched.content -> 'scheduled_task'
            when matched.element_index is not null then jsonb_path_query_first(
                matched.content,
                '$.scheduled_tasks[*] ? (
                    @.state == "cleared"
                    && @.group == $.scheduled_task.group
                    && @.type == $.scheduled_task.type
                )'
            )
        end as cleared_element
    from matched
)

select
    grouped.uuid || '~' || task_event.event || '~' || grouped.definition
        || coalesce('-' || grouped.element_index, '') as task_id,
    grouped.uuid as source_id,
    grouped.is_contact,
    grouped.definition,
    task_event.event,
    grouped.content #>> grouped.appointment_path as appointment_text,
    grouped.content #>> task_event.due_path as due_text,
    grouped.element_index is not null as is_scheduled,
    grouped.content -> 'scheduled_task' ->> 'due' as scheduled_text,
    grouped.cleared_element is not null as is_cleared,
    app.read_moment(jsonb_path_query_first(
        grouped.cleared_element, '$.state_history[*] ? (@.state == "cleared").timestamp'
    ) #>> '{}') as cleared_at,
    nullif(grouped.content #>> grouped.contact_label_path, '') as contact_label,
    {{ first_filled([
        "grouped.content -> 'fields' ->> 'patient_name'",
        "grouped.content -> 'fields' -> 'inputs' -> 'contact' ->> 'name'",
    ]) }} as reported_patient_name,
    {{ first_filled([
        "grouped.content -> 'fields' ->> 'patient_id'",
        "grouped.content ->> 'patient_id'",
    ]) }} as reported_patient_id,
    {{ first_filled([
        "grouped.content -> 'fields' ->> 'patient_uuid'",
        "grouped.content ->> 'patient_uuid'",
    ]) }} as reported_patient_uuid
from grouped
inner join task_event
    on grouped.definition = task_event.definition
where
    grouped.applies_if is null
    or jsonb_path_match_tz(grouped.content, grouped.applies_if, '{}', true)
