{{ config(
    unique_key='uuid',
    indexes=[
        {'columns': ['language', 'key'], 'unique': true},
        {'columns': ['uuid']},
    ],
    pre_hook="{{ delete_changed_documents() }}",
) }}

with staged as (
    select * from {{ ref('stg_translation') }}
)

select
    staged.uuid,
    staged.language,
    staged.key,
    staged.text,
    {{ this_run() }} as run_number
from staged
{% if is_incremental() -%}
where staged.landed_number > {{ landed_before('translation') }}
{%- endif %}
