with stored as (
    select * from {{ ref('stored_chw_task') }}
),

publication as (
    select * from {{ moment_of('stored_chw_task') }} as moment
)

select
    stored.*,
    publication.as_of
from stored
cross join publication
