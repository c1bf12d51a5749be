{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['subject_key', 'form', 'reported_at']},
        {'columns': ['subject_reference']},
        {'columns': ['second_reference']},
        {'columns': ['third_reference']},
        {'columns': ['form']},
        {'columns': ['run_number']},
    ],
) }}

with staged as not materialized (
    select * from {{ ref('stg_report') }}
),

contact as not materialized (
    select * from {{ ref('contact') }}
),

{% if is_incremental() -%}
-- what a contact that changed answers to, or answered to before
changed_alias as (
    select jsonb_array_elements_text(contact.aliases) as alias
    from contact
    where {{ written_since('report', 'contact.run_number') }}
),

changed as (
    select staged.uuid
    from staged
    where staged.landed_number > {{ landed_before('report') }}
    {% for column in ['subject_reference', 'second_reference', 'third_reference', 'subject_key'] -%}
    union
    select known.uuid
    from {{ this }} as known
    where known.{{ column }} = any(array(select changed_alias.alias from changed_alias))
    {% endfor %}
),

{% endif -%}
fresh as (
    select
        staged.*{% if is_incremental() %},
        {{ with_former_value('former_keys', 'subject_key') }} as former_keys{% endif %}
    from staged
    {% if is_incremental() -%}
    left join {{ this }} as known
        on staged.uuid = known.uuid
    where
        staged.uuid = any(array(select changed.uuid from changed))
        and (
            staged.is_report
            or (staged.is_forgotten is not true and known.uuid is not null)
        )
    {%- else -%}
    where staged.is_report
    {%- endif %}
),

reference as (
    select fresh.subject_reference as alias from fresh
    union
    select fresh.second_reference from fresh
    union
    select fresh.third_reference from fresh
),

called as (
    {{ resolve_contacts('reference', 'contact') }}
)

select
    fresh.uuid,
    fresh.form,
    fresh.reported_at,
    coalesce(fresh.has_reported_date and fresh.reported_at is null, false) as has_bad_date,
    fresh.is_dated_for_the_cht,
    fresh.subject_reference,
    fresh.second_reference,
    fresh.third_reference,
    coalesce(first_subject.uuid, second_subject.uuid, third_subject.uuid) as subject_uuid,
    coalesce(
        first_subject.uuid,
        second_subject.uuid,
        third_subject.uuid,
        case when first_subject.is_ambiguous is not true then fresh.subject_reference end
    ) as subject_key,
    {{ 'fresh.former_keys' if is_incremental() else "'[]'::jsonb" }} as former_keys,
    coalesce(
        first_subject.is_ambiguous
        and second_subject.uuid is null
        and third_subject.uuid is null,
        false
    ) as is_ambiguous,
    fresh.named_task_id,
    fresh.sender_uuid,
    fresh.sender_place_uuid,
    fresh.is_deleted or not fresh.is_report as is_deleted,
    fresh.is_flagged_deleted,
    fresh.is_altered,
    fresh.saved_at,
    {{ this_run() }} as run_number
from fresh
left join called as first_subject
    on fresh.subject_reference = first_subject.alias
left join called as second_subject
    on fresh.second_reference = second_subject.alias
-- among several owners of a shortcode a known uuid in the report decides
left join called as third_subject
    on fresh.third_reference = third_subject.alias
    and third_subject.uuid = fresh.third_reference
    and first_subject.is_ambiguous
{% if is_incremental() -%}
-- of what was deleted and not kept, what was known of it
union all
select
    {% for column in [
        'uuid', 'form', 'reported_at', 'has_bad_date', 'is_dated_for_the_cht', 'subject_reference',
        'second_reference', 'third_reference', 'subject_uuid', 'subject_key', 'former_keys',
        'is_ambiguous', 'named_task_id', 'sender_uuid', 'sender_place_uuid'
    ] -%}
    known.{{ column }},
    {% endfor -%}
    true,
    known.is_flagged_deleted,
    known.is_altered,
    staged.saved_at,
    {{ this_run() }}
from {{ this }} as known
inner join staged
    on known.uuid = staged.uuid
where
    known.uuid = any(array(select changed.uuid from changed))
    and staged.uuid = any(array(select changed.uuid from changed))
    and staged.is_forgotten
{%- endif %}
