{{ config(
    unique_key='report_id',
    on_schema_change='append_new_columns',
    indexes=[
        {'columns': ['report_id'], 'unique': true},
        {'columns': ['task_id', 'round']},
        {'columns': ['run_number']},
    ],
) }}

with staged as not materialized (
    select * from {{ ref('stg_verification_report') }}
    where task_id is not null
),

document as not materialized (
    select * from {{ ref('stg_document') }}
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
{% if is_incremental() -%}
where staged.landed_number > {{ landed_before('verification_report') }}
-- what is no verification any more stays as a void row, so that its task is judged anew
union all
select
    known.report_id,
    known.task_id,
    known.round,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    true,
    null,
    {{ this_run() }}
from {{ this }} as known
where
    known.report_id = any(array(
        select document.uuid
        from document
        where document.landed_number > {{ landed_before('verification_report') }}
    ))
    and known.report_id <> all(array(
        select staged.report_id
        from staged
        where staged.landed_number > {{ landed_before('verification_report') }}
    ))
{%- endif %}
