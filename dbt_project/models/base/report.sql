{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['subject_key', 'form', 'reported_at']},
        {'columns': ['subject_reference']},
        {'columns': ['second_reference']},
        {'columns': ['form']},
        {'columns': ['run_number']},
    ],
) }}

with staged as (
    select * from {{ ref('stg_report') }}
),

contact as (
    select * from {{ ref('contact') }}
){% if is_incremental() %},

-- what a contact that changed answers to, or answered to before
changed_alias as (
    select unnest(array[contact.uuid, contact.patient_id, contact.place_id]) as alias
    from contact
    where contact.run_number > {{ run_before('report') }}
),

changed as (
    select staged.uuid
    from staged
    where staged.landed_number > {{ landed_before('report') }}
    union
    select known.uuid
    from {{ this }} as known
    inner join changed_alias on known.subject_reference = changed_alias.alias
    union
    select known.uuid
    from {{ this }} as known
    inner join changed_alias on known.second_reference = changed_alias.alias
    union
    select known.uuid
    from {{ this }} as known
    inner join changed_alias on known.subject_key = changed_alias.alias
){% endif %}

select
    staged.uuid,
    staged.form,
    staged.reported_at,
    staged.is_dated_for_the_cht,
    staged.subject_reference,
    staged.second_reference,
    coalesce(first_subject.uuid, second_subject.uuid) as subject_uuid,
    coalesce(
        first_subject.uuid, second_subject.uuid, staged.subject_reference
    ) as subject_key,
    staged.named_task_id,
    staged.sender_uuid,
    staged.sender_place_uuid,
    staged.is_deleted or not staged.is_report as is_deleted,
    staged.is_altered,
    staged.saved_at,
    {{ this_run() }} as run_number
from staged
{% if is_incremental() -%}
inner join changed
    on staged.uuid = changed.uuid
{% endif -%}
left join lateral {{ contact_called('staged.subject_reference') }} as first_subject
    on true
left join lateral {{ contact_called('staged.second_reference') }} as second_subject
    on first_subject.uuid is null
{% if is_incremental() -%}
where
    staged.is_report
    or exists (select from {{ this }} as known where known.uuid = staged.uuid)
{%- else -%}
where staged.is_report
{%- endif %}
