{#- The documents of a base table that a changed definition may apply to, by their type. -#}
{% macro sources_asked_anew(relation, type, asks_contacts) -%}
    select {{ relation }}.uuid
    from {{ relation }}
    where
        -- asked once, so that nothing is read where nothing changed
        exists (select from changed_definition)
        and (
            {{ relation }}.{{ type }} in (
                select unnest(changed_definition.applies_to_type)
                from changed_definition
                where {{ 'not ' if not asks_contacts }}changed_definition.asks_contacts
            )
            or exists (
                select from changed_definition
                where
                    {{ 'not ' if not asks_contacts }}changed_definition.asks_contacts
                    and changed_definition.applies_to_type is null
            )
        )
{%- endmacro %}
