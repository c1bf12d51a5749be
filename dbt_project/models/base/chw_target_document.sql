{{ config(
    unique_key='uuid',
    indexes=[{'columns': ['uuid', 'target'], 'unique': true}],
    pre_hook="{{ delete_changed_documents() }}",
) }}

-- depends_on: {{ ref('task') }}, so that what supervisors wait for comes first
with staged as (
    select * from {{ ref('stg_chw_target') }}
)

select
    staged.uuid,
    staged.user_uuid,
    staged.chw_uuid,
    staged.reporting_period,
    staged.target,
    staged.pass_count,
    staged.total_count,
    staged.percent,
    staged.updated_at,
    staged.is_deleted
from staged
{% if is_incremental() -%}
where staged.landed_number > {{ landed_before('chw_target_document') }}
{%- endif %}
