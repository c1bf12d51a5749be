{#- A pre-hook, so that rows and their `as_of` change in one transaction. -#}
{% macro remember_publication() %}
    insert into {{ source('build', 'publication') }} (model, as_of, published_on)
    values ('{{ this.identifier }}', app.worklist_now(), app.today())
    on conflict (model) do update
    set as_of = excluded.as_of, published_on = excluded.published_on
{% endmacro %}

{#-
    A mart's `as_of` and its day. They are not stored with its rows, nor are the days counted to
    them: they would change in every row each time, and a concurrent refresh writes what changed.
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
