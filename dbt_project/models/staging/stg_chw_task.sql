with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    {{ identifier("document.content -> 'emission' ->> '_id'") }} as emission_id,
    {{ identifier("document.content ->> 'user'") }} as user_uuid,
    coalesce(
        document.content ->> 'owner',
        document.content ->> 'requester',
        document.content -> 'emission' ->> 'forId'
    ) as patient_uuid,
    document.content -> 'emission' ->> 'title' as title,
    document.content ->> 'state' as stored_state,
    document.content ->> 'stateReason' as state_reason,
    app.read_day(document.content -> 'emission' ->> 'dueDate', 'UTC') as due_on,
    app.read_day(document.content -> 'emission' ->> 'startDate', 'UTC') as opens_on,
    app.read_day(document.content -> 'emission' ->> 'endDate', 'UTC') as closes_on,
    app.read_moment(document.content ->> 'authoredOn') as authored_at,
    (
        select max(app.read_moment(history.entry ->> 'timestamp'))
        from {{ elements("document.content -> 'stateHistory'") }} as history (entry)
    ) as last_heard_at,
    document.is_deleted,
    document.landed_number
from document
where document.content ->> 'type' = 'task'
