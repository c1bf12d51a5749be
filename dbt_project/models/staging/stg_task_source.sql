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

-- the empty type stands for every type, so that one join by equality finds all definitions
asking as (
    select
        task_definition.*,
        task_definition.applies_to = 'contacts' as asks_contacts,
        asked.type
    from task_definition
    cross join lateral unnest(coalesce(task_definition.applies_to_type, '{""}')) as asked (type)
),

typed as (
    select
        document.*,
        {{ is_contact("document.content") }} as is_contact,
        case
            when {{ is_contact("document.content") }}
                then {{ contact_type("document.content") }}
            else document.content ->> 'form'
        end as type
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
        asking.hash as definition_hash,
        asking.applies_if,
        asking.appointment_path,
        asking.contact_label_path,
        element.position - 1 as element_index,
        case
            when element.position is null then typed.content
            else typed.content || jsonb_build_object('scheduled_task', element.entry)
        end as content
    from typed
    cross join lateral unnest(array[typed.type, '']) as own (type)
    inner join asking
        on typed.is_contact = asking.asks_contacts
        and own.type = asking.type
    left join lateral
        {{ elements("typed.content -> 'scheduled_tasks'") }}
        with ordinality as element (entry, position)
        on asking.applies_to = 'scheduled_tasks'
    where (asking.applies_to = 'scheduled_tasks') = (element.position is not null)
)

select
    matched.uuid || '~' || task_event.event || '~' || matched.definition
        || coalesce('-' || matched.element_index, '') as task_id,
    matched.uuid as source_id,
    matched.is_contact,
    matched.definition,
    matched.definition_hash,
    task_event.event,
    matched.content #>> matched.appointment_path as appointment_text,
    matched.content #>> task_event.due_path as due_text,
    matched.element_index is not null as is_scheduled,
    matched.content -> 'scheduled_task' ->> 'due' as scheduled_text,
    coalesce(matched.content -> 'scheduled_task' ->> 'state' = 'cleared', false) as is_cleared,
    app.read_moment(jsonb_path_query_first(
        matched.content,
        '$.scheduled_task.state_history[*] ? (@.state == "cleared").timestamp'
    ) #>> '{}') as cleared_at,
    nullif(matched.content #>> matched.contact_label_path, '') as contact_label,
    {{ first_filled([
        "matched.content -> 'fields' ->> 'patient_name'",
        "matched.content -> 'fields' -> 'inputs' -> 'contact' ->> 'name'",
    ]) }} as reported_patient_name,
    {{ first_filled([
        "matched.content -> 'fields' ->> 'patient_id'",
        "matched.content ->> 'patient_id'",
    ]) }} as reported_patient_id,
    {{ first_filled([
        "matched.content -> 'fields' ->> 'patient_uuid'",
        "matched.content ->> 'patient_uuid'",
    ]) }} as reported_patient_uuid
from matched
inner join task_event
    on matched.definition = task_event.definition
where
    matched.applies_if is null
    or jsonb_path_match_tz(matched.content, matched.applies_if, '{}', true)
