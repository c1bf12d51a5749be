{#-
    How far each incremental model has read. Each refresh has a number (refresh_boundary), and rows
    carry the number of the refresh that wrote them. A model stores its number in the transaction
    that refreshes it; the next time it reads what was written since.
-#}
{% macro create_own_tables() %}
    create table if not exists worklist_build.refresh_watermark (
        model text primary key,
        landed_number bigint not null,
        run_number bigint not null
    );
    create table if not exists worklist_build.refreshed_definition (
        definition text primary key,
        hash text not null
    );
    create table if not exists worklist_build.publication (
        model text primary key,
        as_of timestamptz not null,
        published_on date not null
    )
{% endmacro %}

{% macro remember_watermark() %}
    insert into worklist_build.refresh_watermark (model, landed_number, run_number)
    select '{{ this.identifier }}', boundary.landed_number, boundary.run_number
    from {{ ref('refresh_boundary') }} as boundary
    on conflict (model) do update
    set landed_number = excluded.landed_number, run_number = excluded.run_number
{% endmacro %}

{#- The highest landed number that `model` has read. -#}
{% macro landed_before(model) -%}
    {{ watermark(model, 'landed_number') }}
{%- endmacro %}

{#- The number of the last refresh that `model` finished. -#}
{% macro run_before(model) -%}
    {{ watermark(model, 'run_number') }}
{%- endmacro %}

{#-
    Whether a row with this number was written since `model` was last refreshed. The upper bound
    always holds, but helps the planner: it expects a range to match one row in two hundred, and uses
    the index; a lower bound alone a third of all rows, and scans the table.
-#}
{% macro written_since(model, run_number) -%}
    {{ run_number }} > {{ run_before(model) }}
    and {{ run_number }} <= {{ this_run() }}
{%- endmacro %}

{% macro watermark(model, column) -%}
    (
        select coalesce(max(refresh_watermark.{{ column }}), -1)
        from {{ source('build', 'refresh_watermark') }} as refresh_watermark
        where refresh_watermark.model = '{{ model }}'
    )
{%- endmacro %}

{#- The number of this refresh. -#}
{% macro this_run() -%}
    (select boundary.run_number from {{ ref('refresh_boundary') }} as boundary)
{%- endmacro %}
