with translation as (
    select * from {{ ref('translation') }}
)

select
    translation.language,
    translation.key,
    translation.text
from translation
