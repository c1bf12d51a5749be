{#-
    The contact that answers to each alias of a relation: its uuid or a shortcode. Of several the
    first by type, then by uuid, as the CHT's rules engine has it. A join for each way to be
    called, since no index serves an `or` over three columns.
-#}
{% macro contacts_called(aliases) -%}
    select distinct on (answering.alias)
        answering.alias,
        answering.uuid
    from (
        {%- for column in ['uuid', 'patient_id', 'place_id'] %}
        {{ 'union all' if not loop.first }}
        select
            {{ aliases }}.alias,
            contact.uuid,
            contact.contact_type
        from {{ aliases }}
        inner join contact
            on {{ aliases }}.alias = contact.{{ column }}
            and not contact.is_deleted
        {%- endfor %}
    ) as answering
    order by answering.alias, answering.contact_type collate "C", answering.uuid collate "C"
{%- endmacro %}
