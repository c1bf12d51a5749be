{#-
    The one place that says whom a reference names: a contact's uuid names that contact, and a
    shortcode the one contact that has it. A shortcode of several names nobody. A join for each way
    to be called, since no index serves an `or` over three columns.
-#}
{% macro contacts_called(aliases) -%}
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
            contact.uuid,
            {{ column == 'uuid' }} as is_uuid
        from {{ aliases }}
        inner join contact
            on {{ aliases }}.alias = contact.{{ column }}
            and not contact.is_deleted
        {%- endfor %}
    ) as answering
    group by answering.alias
{%- endmacro %}
