{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['user_uuid', 'emission_id']},
    ],
    pre_hook="{{ delete_changed_documents() }}",
) }}

-- depends_on: {{ ref('task') }}, so that what supervisors wait for comes first
with staged as (
    select * from {{ ref('stg_chw_task') }}
)

select
    staged.uuid,
    staged.emission_id,
    staged.user_uuid,
    staged.patient_uuid,
    staged.title,
    staged.stored_state,
    staged.state_reason,
    staged.opens_on,
    staged.due_on,
    staged.closes_on,
    staged.authored_at,
    staged.last_heard_at,
    staged.is_deleted
from staged
{% if is_incremental() -%}
where staged.landed_number > {{ landed_before('chw_task_document') }}
{%- endif %}
