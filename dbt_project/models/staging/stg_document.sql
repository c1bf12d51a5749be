with landed as (
    select * from {{ source('landing', 'couchdb') }}
),

altered as (
    select * from {{ source('landing', 'couchdb_altered') }}
),

boundary as (
    select * from {{ ref('refresh_boundary') }}
)

select
    landed._id as uuid,
    landed.landed_number,
    landed.saved_timestamp at time zone 'UTC' as saved_at,
    coalesce(landed._deleted, false) as is_deleted,
    -- a document that was purged has no revision: of that, derived tables keep nothing either
    coalesce(
        landed._deleted and landed.last_content is null and landed.doc ? '_rev', false
    ) as is_forgotten,
    altered._id is not null as is_altered,
    case
        when landed._deleted then coalesce(landed.last_content, landed.doc)
        else landed.doc
    end as content
from landed
left join altered
    on landed.source = altered.source
    and landed._id = altered._id
-- subqueries and no join, so that with a watermark below they make a range (written_since)
where
    landed.source = (select boundary.source from boundary)
    and landed.landed_number <= (select boundary.landed_number from boundary)
