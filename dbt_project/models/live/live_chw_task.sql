-- Of several documents of one emission the most ready one is current, then the latest.
with document as (
    select * from {{ ref('chw_task_document') }}
),

user_account as (
    select * from {{ ref('user_account') }}
),

current_document as (
    select distinct on (document.user_uuid, document.emission_id)
        document.*
    from document
    where not document.is_deleted
    order by
        document.user_uuid,
        document.emission_id,
        array_position(
            array['Ready', 'Draft', 'Completed', 'Failed', 'Cancelled'], document.stored_state
        ),
        document.authored_at desc nulls last,
        document.uuid
)

select
    current_document.uuid as chw_task_uuid,
    current_document.emission_id,
    user_account.user_name as chw_user,
    user_account.contact_uuid as chw_uuid,
    current_document.patient_uuid,
    current_document.title,
    current_document.stored_state,
    case
        when current_document.stored_state in ('Completed', 'Failed', 'Cancelled')
            then current_document.stored_state
        when current_document.opens_on > (select app.today()) then 'Draft'
        when current_document.closes_on < (select app.today()) then 'Failed'
        else 'Ready'
    end as effective_state,
    current_document.state_reason,
    current_document.opens_on,
    current_document.due_on,
    current_document.closes_on,
    current_document.last_heard_at
from current_document
left join user_account
    on current_document.user_uuid = user_account.uuid
