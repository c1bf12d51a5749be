{#- Rows of documents that changed; the model inserts what they are now. -#}
{% macro delete_changed_documents() %}
    {%- set documents = ref('stg_document') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        where known.uuid = any(array(
            select document.uuid
            from {{ documents }} as document
            where document.landed_number > {{ landed_before(this.identifier) }}
        ))
    {%- endif -%}
{% endmacro %}

{#- Rows of contacts that changed and are no places any more. -#}
{% macro delete_places_that_are_none() %}
    {%- set contacts = ref('contact') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        where known.place_uuid = any(array(
            select contact.uuid
            from {{ contacts }} as contact
            where
                not contact.is_place
                and {{ written_since(this.identifier, 'contact.run_number') }}
        ))
    {%- endif -%}
{% endmacro %}

{#- Rows of documents that changed, and of definitions that changed or were dropped. -#}
{% macro delete_changed_findings() %}
    {%- set changed_definitions = ref('int_changed_definition') -%}
    {{ delete_changed_documents() }}
    {%- if is_incremental() -%}
        ;
        delete from {{ this }} as known
        where known.definition = any(array(
            select changed.definition from {{ changed_definitions }} as changed
        ))
    {%- endif -%}
{% endmacro %}

{#- Appointments of changed subjects; the model inserts those that remain. -#}
{% macro delete_appointments_of_changed_subjects() %}
    {%- set subjects = ref('int_changed_subject') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as known
        where known.subject_key = any(array(select changed.subject_key from {{ subjects }} as changed));
    {%- endif -%}
    {{ delete_dropped_definitions() }}
{% endmacro %}
