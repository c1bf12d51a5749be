{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['patient_id']},
        {'columns': ['place_id']},
        {'columns': ['parent_uuid']},
        {'columns': ['run_number']},
    ],
) }}

with staged as not materialized (
    select * from {{ ref('stg_contact') }}
),

contact_type as not materialized (
    select * from {{ ref('stg_contact_type') }}
){% if is_incremental() %},

changed as (
    select staged.uuid
    from staged
    where staged.landed_number > {{ landed_before('contact') }}
    union
    -- the settings may change which types are people
    select known.uuid
    from {{ this }} as known
    left join contact_type
        on known.contact_type = contact_type.contact_type
    where
        known.is_person is distinct from {{ is_person('known.contact_type') }}
        -- asked once, so that nothing is read where the settings did not change
        and (
            select settings.landed_number
            from staged as settings
            where settings.uuid = 'settings'
        ) > {{ landed_before('contact') }}
){% endif %}

select
    staged.uuid,
    staged.contact_type,
    {{ is_person('staged.contact_type') }} as is_person,
    staged.is_contact and not {{ is_person('staged.contact_type') }} as is_place,
    staged.contact_name,
    staged.parent_uuid,
    staged.primary_contact_uuid,
    staged.patient_id,
    staged.place_id,
    staged.phone,
    staged.sex,
    app.read_day(staged.date_of_birth, 'UTC') as date_of_birth,
    staged.reported_at,
    coalesce(staged.has_reported_date and staged.reported_at is null, false) as has_bad_date,
    staged.saved_at,
    staged.is_dated_for_the_cht,
    staged.is_muted,
    staged.is_dead,
    staged.is_flagged_deleted,
    staged.is_altered,
    staged.is_deleted or not staged.is_contact as is_deleted,
    {% if is_incremental() -%}
    (
        select jsonb_agg(distinct alias.value)
        from jsonb_array_elements_text(
            coalesce(known.aliases, '[]')
            || jsonb_build_array(staged.uuid, staged.patient_id, staged.place_id)
        ) as alias (value)
    )
    {%- else -%}
    jsonb_build_array(staged.uuid, staged.patient_id, staged.place_id)
    {%- endif %} as aliases,
    {{ this_run() }} as run_number
from staged
left join contact_type
    on staged.contact_type = contact_type.contact_type
{% if is_incremental() -%}
left join {{ this }} as known
    on staged.uuid = known.uuid
where
    staged.uuid = any(array(select changed.uuid from changed))
    and (staged.is_contact or known.uuid is not null)
{%- else -%}
where staged.is_contact
{%- endif %}
