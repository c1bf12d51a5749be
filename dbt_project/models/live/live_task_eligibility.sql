-- Why a document gives a task or none: it is asked where its type is named and the predicate true.
with document as (
    select * from {{ ref('stg_document') }}
),

task_definition as (
    select * from {{ source('app', 'task_definition') }}
),

stg_task_candidate as (
    select * from {{ ref('stg_task_candidate') }}
),

typed as (
    select
        document.uuid,
        document.is_deleted,
        case
            when {{ is_contact("document.content") }} then 'contact'
            when {{ is_report("document.content") }} then 'report'
        end as kind,
        case
            when {{ is_report("document.content") }} then document.content ->> 'form'
            else {{ contact_type("document.content") }}
        end as type
    from document
)

select
    typed.uuid as source_id,
    task_definition.name as definition,
    typed.kind,
    typed.type,
    typed.is_deleted,
    coalesce(
        (task_definition.applies_to = 'contacts') = (typed.kind = 'contact')
        and (
            task_definition.applies_to_type is null
            or typed.type = any(task_definition.applies_to_type)
        ),
        false
    ) as is_type_named,
    exists (
        select from stg_task_candidate
        where
            stg_task_candidate.source_id = typed.uuid
            and stg_task_candidate.definition = task_definition.name
    ) as is_asked
from typed
cross join task_definition
