{{ config(
    unique_key='report_id',
    indexes=[
        {'columns': ['report_id'], 'unique': true},
        {'columns': ['task_id', 'round']},
        {'columns': ['run_number']},
    ],
) }}

with staged as not materialized (
    select * from {{ ref('stg_verification_report') }}
),

document as not materialized (
    select * from {{ ref('stg_document') }}
),

user_account as not materialized (
    select * from {{ ref('user_account') }}
),

-- whose contact an account is may verify with its roles, active or not
sender_role as (
    select
        user_account.contact_uuid,
        array_agg(distinct role.name order by role.name) as roles
    from user_account
    cross join lateral unnest(user_account.roles) as role (name)
    where user_account.is_online
    group by user_account.contact_uuid
){% if is_incremental() %},

changed as (
    select document.uuid
    from document
    where document.landed_number > {{ landed_before('verification_report') }}
    union
    select known.report_id
    from {{ this }} as known
    left join sender_role
        on known.sender_uuid = sender_role.contact_uuid
    where
        known.sender_roles is distinct from coalesce(sender_role.roles, '{}')
        -- asked once, so that nothing is read where no account changed
        and exists (
            select from user_account
            where {{ written_since('verification_report', 'user_account.run_number') }}
        )
){% endif %}

select
    staged.report_id,
    staged.task_id,
    {{ with_former_value('former_task_ids', 'task_id') if is_incremental() else "'[]'::jsonb" }}
        as former_task_ids,
    staged.round,
    staged.outcome,
    staged.appointment_on,
    staged.visit_on,
    staged.reason,
    staged.replaces,
    staged.note,
    staged.sender_uuid,
    coalesce(sender_role.roles, '{}') as sender_roles,
    staged.verified_at,
    staged.is_deleted,
    staged.verification_id,
    {{ this_run() }} as run_number
from staged
left join sender_role
    on staged.sender_uuid = sender_role.contact_uuid
{% if is_incremental() -%}
left join {{ this }} as known
    on staged.report_id = known.report_id
where staged.report_id = any(array(select changed.uuid from changed))
-- a former verification keeps a deleted row, so that its task is re-evaluated
union all
select
    known.report_id,
    known.task_id,
    known.former_task_ids,
    known.round,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    '{}',
    null,
    true,
    null,
    {{ this_run() }}
from {{ this }} as known
where
    known.report_id = any(array(select changed.uuid from changed))
    and known.report_id <> all(array(
        select staged.report_id
        from staged
        where staged.report_id = any(array(select changed.uuid from changed))
    ))
{%- endif %}
