{#-
    The contact that answers to this value: its uuid or a shortcode. Of several the first by type,
    then by uuid, as the CHT's rules engine has it.
-#}
{% macro contact_called(value) -%}
    (
        select contact.uuid
        from contact
        where
            not contact.is_deleted
            and (
                contact.uuid = {{ value }}
                or contact.patient_id = {{ value }}
                or contact.place_id = {{ value }}
            )
        order by contact.contact_type, contact.uuid
        limit 1
    )
{%- endmacro %}
