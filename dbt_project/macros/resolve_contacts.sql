{#-
    Whom each alias names: a contact's uuid names that contact, a shortcode the one contact that has
    it. A shortcode of several names nobody. A join for each column, since no index serves an `or`
    over three of them.
-#}
{% macro resolve_contacts(aliases, contacts) -%}
    select
        answering.alias,
        case
            when bool_or(answering.is_uuid) or count(distinct answering.uuid) = 1
                then (array_agg(answering.uuid order by answering.is_uuid desc))[1]
        end as uuid,
        count(distinct answering.uuid) > 1 and not bool_or(answering.is_uuid) as is_ambiguous
    from (
        {%- for column in ['uuid', 'patient_id', 'place_id'] %}
        {{ 'union all' if not loop.first }}
        select
            {{ aliases }}.alias,
            {{ contacts }}.uuid,
            {{ column == 'uuid' }} as is_uuid
        from {{ aliases }}
        inner join {{ contacts }}
            on {{ aliases }}.alias = {{ contacts }}.{{ column }}
            and not {{ contacts }}.is_deleted
        {%- endfor %}
    ) as answering
    group by answering.alias
{%- endmacro %}
