-- Whom each task is about, and where: at the patient's place, else where the sender works.
select
    task.*,
    coalesce(task.contact_label, shown.contact_name, task.reported_patient_name) as patient_name,
    coalesce(shown.patient_id, shown.place_id, task.reported_patient_id) as patient_id,
    shown.phone,
    shown.sex,
    shown.date_of_birth,
    home.place_uuid,
    place.place_name,
    place.area_uuid,
    place.area_name,
    place.chw_uuid,
    place.chw_name,
    case
        when not task_definition.excludes_muted_or_dead then null
        when patient.is_dead then 'deceased'
        when patient.is_muted then 'muted'
    end as excluded_reason,
    task.source_flags
    || case
        when patient.uuid is not null then '{}'::text[]
        when 'ambiguous_patient' = any(task.source_flags) then array['place_from_sender']
        else array['unknown_patient', 'place_from_sender']
    end
    || case
        when coalesce(place.is_orphan or place.is_deleted, true) then array['orphan_place']
        else '{}'::text[]
    end as flags
from {{ ref('reported_task') }} as task
inner join {{ source('app', 'task_definition') }} as task_definition
    on task.definition = task_definition.name
left join {{ ref('contact') }} as patient
    on task.subject_uuid = patient.uuid
left join {{ ref('contact') }} as shown
    on task.subject_uuid = shown.uuid
    and not shown.is_deleted
left join {{ ref('contact') }} as sender
    on task.sender_uuid = sender.uuid
    and not sender.is_deleted
cross join lateral (
    select
        case
            when patient.uuid is not null and patient.is_person then patient.parent_uuid
            when patient.uuid is not null then patient.uuid
            when sender.uuid is null then task.sender_place_uuid
            when sender.is_person then sender.parent_uuid
            else sender.uuid
        end as place_uuid
) as home
left join {{ ref('place') }} as place
    on home.place_uuid = place.place_uuid
