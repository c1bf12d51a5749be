{#- Whether a document is a person or a place, by the types of old and by `contact`. -#}
{% macro is_contact(content) -%}
    coalesce(
        {{ content }} ->> 'type' in (
            'contact', 'person', 'clinic', 'health_center', 'district_hospital'
        ),
        false
    )
{%- endmacro %}

{#- The effective type of a contact. -#}
{% macro contact_type(content) -%}
    case
        when {{ content }} ->> 'type' = 'contact' then {{ content }} ->> 'contact_type'
        else {{ content }} ->> 'type'
    end
{%- endmacro %}

{#- Whether a document is a report of a form. -#}
{% macro is_report(content) -%}
    coalesce(
        {{ content }} ->> 'type' = 'data_record' and {{ content }} ->> 'form' <> '', false
    )
{%- endmacro %}

{#- Whether contacts of this type are people; `contact_type` says what the settings say of it. -#}
{% macro is_person(type) -%}
    (coalesce({{ type }} = 'person', false) or coalesce(contact_type.is_person, false))
{%- endmacro %}
