{#-
    The moment that a document's `reported_date` says, where it can be true: not before 2000, as
    seconds taken for milliseconds are, and not more than two days after it landed.
-#}
{% macro believable_moment(value, saved_at) -%}
    case
        when app.read_moment({{ value }}) between timestamptz '2000-01-01 00:00:00+00'
            and coalesce({{ saved_at }} + interval '2 days', 'infinity')
            then app.read_moment({{ value }})
    end
{%- endmacro %}
