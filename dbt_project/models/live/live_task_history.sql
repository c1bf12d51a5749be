with missed_appointment as (
    select * from {{ ref('live_missed_appointment') }}
),

programme as (
    select * from {{ source('app', 'programme') }}
)

select
    {{ columns_of_task_history('missed_appointment') }}
from missed_appointment
cross join programme
