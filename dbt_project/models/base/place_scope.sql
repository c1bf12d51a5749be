{{ config(
    unique_key='place_uuid',
    indexes=[
        {'columns': ['place_uuid', 'ancestor_uuid'], 'unique': true},
        {'columns': ['ancestor_uuid']},
        {'columns': ['run_number']},
    ],
    pre_hook="{{ delete_places_that_are_none() }}",
) }}

-- Places are walked upwards from the contact documents. A parent that is not known yet is in
-- the walk too, so that its arrival finds the places that wait for it; a cycle ends the walk.
with recursive contact as not materialized (
    select * from {{ ref('contact') }}
){% if is_incremental() %},

moved as (
    select contact.uuid
    from contact
    where {{ written_since('place_scope', 'contact.run_number') }}
),

affected as (
    select moved.uuid from moved
    union
    select known.place_uuid
    from {{ this }} as known
    where known.ancestor_uuid = any(array(select moved.uuid from moved))
){% endif %},

walk as (
    select
        contact.uuid as place_uuid,
        contact.uuid as ancestor_uuid,
        0 as depth,
        array[contact.uuid] as path
    from contact
    where
        contact.is_place
        {% if is_incremental() -%}
        and contact.uuid = any(array(select affected.uuid from affected))
        {%- endif %}
    union all
    select
        walk.place_uuid,
        contact.parent_uuid,
        walk.depth + 1,
        walk.path || contact.parent_uuid
    from walk
    inner join contact
        on walk.ancestor_uuid = contact.uuid
    where
        contact.parent_uuid is not null
        and not contact.is_deleted
        and not contact.parent_uuid = any(walk.path)
)

select
    walk.place_uuid,
    walk.ancestor_uuid,
    walk.depth,
    {{ this_run() }} as run_number
from walk
{% if not is_incremental() -%}
-- what is below a facility side by side on the disk, as every list asks for it
order by walk.ancestor_uuid
{%- endif %}
