{{ config(
    unique_key='task_id',
    indexes=[
        {'columns': ['task_id'], 'unique': true},
        {'columns': ['subject_key']},
        {'columns': ['appointment_key']},
        {'columns': ['definition']},
        {'columns': ['run_number']},
    ],
    pre_hook="{{ delete_dropped_events() }}",
) }}

with dated as (
    select * from {{ ref('int_task_dated') }}
),

task_candidate as not materialized (
    select * from {{ ref('task_candidate') }}
),

report as (
    select * from {{ ref('report') }}
),

contact as (
    select * from {{ ref('contact') }}
){% if is_incremental() %},

changed_document as (
    select report.uuid
    from report
    where {{ written_since('reported_task', 'report.run_number') }}
    union
    select contact.uuid
    from contact
    where {{ written_since('reported_task', 'contact.run_number') }}
),

changed as (
    select task_candidate.task_id
    from task_candidate
    where {{ written_since('reported_task', 'task_candidate.run_number') }}
    union
    select task_candidate.task_id
    from task_candidate
    where task_candidate.source_id = any(array(select changed_document.uuid from changed_document))
){% endif %}

select
    dated.*,
    {{ this_run() }} as run_number
from dated
{% if is_incremental() -%}
where dated.task_id = any(array(select changed.task_id from changed))
{%- endif %}
