{#- In the transaction of the refresh, so that rows and their moment change together. -#}
{% macro remember_publication() %}
    insert into {{ source('build', 'publication') }} (model, as_of, published_on)
    values ('{{ this.identifier }}', app.worklist_now(), app.today())
    on conflict (model) do update
    set as_of = excluded.as_of, published_on = excluded.published_on
{% endmacro %}

{#-
    The moment that a mart is of, and its day. They are no columns of what is stored, nor are the
    days counted to them: these differ in every row each time, and a refresh writes what differs.
-#}
{% macro moment_of(model) -%}
    (
        select
            publication.as_of,
            publication.published_on
        from {{ source('build', 'publication') }} as publication
        where publication.model = '{{ model }}'
    )
{%- endmacro %}
