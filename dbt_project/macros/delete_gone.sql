{#- Rows of documents that changed; what they still are is written anew. -#}
{% macro delete_changed_documents() %}
    {%- set documents = ref('stg_document') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        using {{ documents }} as document
        where
            known.uuid = document.uuid
            and document.landed_number > {{ landed_before(this.identifier) }}
    {%- endif -%}
{% endmacro %}

{#- Rows of contacts that changed and are no places any more. -#}
{% macro delete_places_that_are_none() %}
    {%- set contacts = ref('contact') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        using {{ contacts }} as contact
        where
            known.place_uuid = contact.uuid
            and not contact.is_place
            and contact.run_number > {{ run_before(this.identifier) }}
    {%- endif -%}
{% endmacro %}
