-- The standing of each task on the day of reading: its window, what resolved it, and the answer that
-- counts. That is the highest round, ours or landed, that was not withdrawn, and of two in the same
-- round (two installations, or one made in the CHT) the later. Ours count for the appointment that they
-- were given for, whichever of its reports they name.
select
    task.*,
    reading.today,
    dated.opens_on,
    dated.due_on,
    dated.closes_on,
    {% for column in ['resolved_by_report', 'resolved_by_form', 'resolved_at'] -%}
    case when dated.is_resolvable then coalesce(task.last_{{ column }}, floating.{{ column }}) end
        as {{ column }},
    {% endfor -%}
    {% for column in ['report_id', 'round', 'outcome', 'visit_on', 'reason'] -%}
    case when own.is_last then own.{{ column }} else task.landed_{{ column }} end
        as verification_{{ column }},
    {% endfor -%}
    case when own.is_last then own.verified_by else landed.verified_by end as verified_by,
    case when own.is_last then own.verified_at else task.landed_verified_at end as verified_at,
    case when own.is_last then null else task.landed_sender_uuid end as verification_sender_uuid,
    case
        when own.is_last or landed.verified_by is not null then 'worklist'
        when task.landed_round is not null then 'cht'
    end as verification_answered_in,
    by_landing.standing = 'open' as is_open_as_landed,
    case
        when own.is_last is null or by_landing.standing in ('repeated', 'withdrawn')
            then by_landing.standing
        else 'verified'
    end as standing
from {{ ref('task') }} as task
cross join app.today() as reading (today)
left join lateral (
    select floating.*
    from {{ ref('int_task_floating') }} as floating
    where
        task.known_due_on is null
        and floating.task_id = task.task_id
    limit 1
) as floating
    on true
cross join lateral (
    select
        coalesce(task.known_opens_on, floating.opens_on) as opens_on,
        coalesce(task.known_due_on, floating.due_on) as due_on,
        coalesce(task.known_closes_on, floating.closes_on) as closes_on,
        coalesce(task.unresolved_until < reading.today, true) as is_resolvable,
        coalesce(task.last_resolved_by_report, floating.resolved_by_report) is not null as is_resolved
) as dated
cross join lateral (
    select
        case
            when task.appointment_task_id <> task.task_id then 'repeated'
            when task.is_withdrawn and not (dated.is_resolvable and dated.is_resolved)
                then 'withdrawn'
            when task.landed_round is not null then 'verified'
            when task.excluded_reason is not null then 'excluded'
            when dated.is_resolvable and dated.is_resolved then 'resolved'
            when dated.opens_on > reading.today then 'upcoming'
            when dated.closes_on < reading.today then 'expired'
            else 'open'
        end as standing
) as by_landing
left join lateral (
    select
        verification.*,
        task.landed_round is null
        or (verification.round, verification.verified_at)
        >= (task.landed_round, coalesce(task.landed_verified_at, '-infinity')) as is_last
    from {{ ref('int_verification_from_worklist') }} as verification
    where
        verification.task_id = any(task.answered_as)
        and verification.delivery <> 'withdrawn'
        and {{ is_about_appointment('verification', 'task') }}
    order by verification.round desc, verification.verified_at desc
    limit 1
) as own
    on true
left join lateral (
    select verification.verified_by
    from {{ ref('int_verification_from_worklist') }} as verification
    where
        task.landed_report_id is not null
        and verification.report_id = task.landed_report_id
        and verification.round = task.landed_round
        and verification.outcome = task.landed_outcome
    limit 1
) as landed
    on true
