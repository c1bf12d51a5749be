{{ config(
    unique_key='place_uuid',
    indexes=[
        {'columns': ['place_uuid'], 'unique': true},
        {'columns': ['area_type']},
        {'columns': ['chw_uuid']},
        {'columns': ['run_number']},
    ],
    pre_hook="{{ delete_places_that_are_none() }}",
) }}

with contact as not materialized (
    select * from {{ ref('contact') }}
),

place_scope as not materialized (
    select * from {{ ref('place_scope') }}
),

programme as not materialized (
    select * from {{ source('app', 'programme') }}
),

{% if is_incremental() -%}
changed as (
    select place_scope.place_uuid
    from place_scope
    where {{ written_since('place', 'place_scope.run_number') }}
    union
    -- tasks.yml may call another type the area's
    select place_scope.place_uuid
    from place_scope
    where (select programme.area_type from programme)
        is distinct from (select min(known.area_type) from {{ this }} as known)
    union
    -- its CHW may be called otherwise
    select known.place_uuid
    from {{ this }} as known
    where known.chw_uuid = any(array(
        select contact.uuid
        from contact
        where {{ written_since('place', 'contact.run_number') }}
    ))
),

{% endif -%}
ancestor as (
    select
        place_scope.place_uuid,
        min(programme.area_type) as area_type,
        (
            array_agg(place_scope.ancestor_uuid order by place_scope.depth)
            filter (where contact.contact_type = programme.area_type)
        )[1] as area_uuid,
        bool_or(contact.uuid is null or contact.is_deleted) as has_missing_ancestor,
        -- the walk stops below the top only where it would run in a circle
        (array_agg(contact.parent_uuid order by place_scope.depth desc))[1] is not null
            as has_cycle
    from place_scope
    cross join programme
    left join contact
        on place_scope.ancestor_uuid = contact.uuid
    {% if is_incremental() -%}
    where place_scope.place_uuid = any(array(select changed.place_uuid from changed))
    {% endif -%}
    group by place_scope.place_uuid
),

described as (
    select
        ancestor.place_uuid,
        place.contact_name as place_name,
        place.contact_type as place_type,
        ancestor.area_type,
        ancestor.area_uuid,
        area.contact_name as area_name,
        area.primary_contact_uuid as chw_uuid,
        chw.contact_name as chw_name,
        place.is_deleted,
        ancestor.has_missing_ancestor or ancestor.has_cycle as is_orphan
    from ancestor
    inner join contact as place
        on ancestor.place_uuid = place.uuid
    left join contact as area
        on ancestor.area_uuid = area.uuid
    left join contact as chw
        on area.primary_contact_uuid = chw.uuid
        and not chw.is_deleted
)

select
    described.place_uuid,
    described.place_name,
    described.place_type,
    described.area_type,
    described.area_uuid,
    described.area_name,
    described.chw_uuid,
    described.chw_name,
    described.is_deleted,
    described.is_orphan,
    {{ this_run() }} as run_number
from described
{% if is_incremental() -%}
-- unchanged rows stay, so that their tasks need not be rewritten
where not exists (
    select from {{ this }} as known
    where
        known.place_uuid = described.place_uuid
        and (
            {%- for column in [
                'place_name', 'place_type', 'area_type', 'area_uuid', 'area_name', 'chw_uuid',
                'chw_name', 'is_deleted', 'is_orphan'
            ] %}
            {{ 'and ' if not loop.first }}known.{{ column }} is not distinct from described.{{ column }}
            {%- endfor %}
        )
)
{%- endif %}
