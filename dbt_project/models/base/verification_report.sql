{{ config(
    unique_key='report_id',
    on_schema_change='append_new_columns',
    indexes=[
        {'columns': ['report_id'], 'unique': true},
        {'columns': ['task_id', 'round']},
        {'columns': ['run_number']},
    ],
) }}

with staged as (
    select * from {{ ref('stg_verification_report') }}
)

select
    staged.report_id,
    staged.task_id,
    staged.round,
    staged.outcome,
    staged.visit_on,
    staged.reason,
    staged.replaces,
    staged.note,
    staged.verified_by,
    staged.verified_at,
    staged.is_deleted
    or staged.outcome is null
    or staged.outcome not in ('visited', 'not_visited') as is_void,
    staged.verification_id,
    {{ this_run() }} as run_number
from staged
where
    staged.task_id is not null
    {% if is_incremental() -%}
    and staged.landed_number > {{ landed_before('verification_report') }}
    {%- endif %}
