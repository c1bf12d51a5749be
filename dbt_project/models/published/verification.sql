with stored as (
    select * from {{ ref('stored_verification') }}
),

publication as (
    select * from {{ moment_of('stored_verification') }} as moment
)

select
    stored.*,
    publication.as_of
from stored
cross join publication
