-- Definitions that are not as they were when all tasks were last derived, new and dropped ones too.
select
    coalesce(task_definition.name, refreshed_definition.definition) as definition,
    task_definition.name is null as is_dropped,
    task_definition.applies_to = 'contacts' as applies_to_contacts,
    task_definition.applies_to_type
from {{ source('app', 'task_definition') }} as task_definition
full outer join {{ source('build', 'refreshed_definition') }} as refreshed_definition
    on task_definition.name = refreshed_definition.definition
where task_definition.hash is distinct from refreshed_definition.hash
