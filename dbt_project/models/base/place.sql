{{ config(
    unique_key='place_uuid',
    indexes=[
        {'columns': ['place_uuid'], 'unique': true},
    ],
) }}

with contact as (
    select * from {{ ref('contact') }}
),

place_scope as (
    select * from {{ ref('place_scope') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
),

ancestor as (
    select
        place_scope.place_uuid,
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
    where place_scope.place_uuid in (
        select changed.place_uuid
        from place_scope as changed
        where changed.run_number > {{ run_before('place') }}
    )
    {% endif -%}
    group by place_scope.place_uuid
)

select
    ancestor.place_uuid,
    place.contact_name as place_name,
    place.contact_type as place_type,
    ancestor.area_uuid,
    place.primary_contact_uuid,
    place.is_deleted,
    ancestor.has_missing_ancestor or ancestor.has_cycle as is_orphan
from ancestor
inner join contact as place
    on ancestor.place_uuid = place.uuid
