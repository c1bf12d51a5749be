with document as (
    select * from {{ ref('stg_document') }}
)

select
    goal.entry ->> 'id' as target,
    goal.entry ->> 'type' as target_type,
    app.read_count(goal.entry ->> 'goal') as goal
from document
cross join lateral
    {{ elements("document.content #> '{settings,tasks,targets,items}'") }} as goal (entry)
where document.uuid = 'settings'
