{{ config(materialized='incremental', unique_key='only_row') }}

with instance as (
    select * from {{ source('app', 'instance') }}
),

landed as (
    select * from {{ source('landing', 'couchdb') }}
),

refresh_watermark as (
    select * from {{ source('build', 'refresh_watermark') }}
)

select
    true as only_row,
    instance.source,
    (
        select coalesce(max(landed.landed_number), 0)
        from landed
        where landed.source = instance.source
    ) as landed_number,
    {% if is_incremental() -%}
    (select before.run_number + 1 from {{ this }} as before) as run_number
    {%- else -%}
    (select coalesce(max(refresh_watermark.run_number), 0) + 1 from refresh_watermark) as run_number
    {%- endif %}
from instance
