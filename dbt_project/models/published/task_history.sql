with ledger as (
    select * from {{ ref('stored_missed_appointment') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
),

publication as (
    select * from {{ moment_of('stored_missed_appointment') }} as moment
)

select
    {{ columns_of_task_history('ledger') }},
    publication.as_of
from ledger
cross join programme
cross join publication
