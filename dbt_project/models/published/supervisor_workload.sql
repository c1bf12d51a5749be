with stored as (
    select * from {{ ref('stored_supervisor_workload') }}
),

publication as (
    select * from {{ moment_of('stored_supervisor_workload') }} as moment
)

select
    stored.*,
    publication.as_of
from stored
cross join publication
