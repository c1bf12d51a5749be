with document as (
    select * from {{ ref('stg_document') }}
)

select
    document.uuid,
    substr(document.uuid, length('messages-') + 1) as language,
    message.key,
    message.text,
    document.landed_number
from document
cross join lateral jsonb_each_text(
    {{ members("document.content -> 'generic'") }} || {{ members("document.content -> 'custom'") }}
) as message (key, text)
where
    document.uuid like 'messages-%'
    and document.content ->> 'type' = 'translations'
    and not document.is_deleted
    and message.text <> ''
    and {{ is_identifier('message.key') }}
