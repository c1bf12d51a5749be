"""The clock, the programme, and the service's own tables"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*_TABLES, *_FUNCTIONS):
        op.execute(statement)


_TABLES = (
    """
    create table app.instance (
        only_row boolean primary key default true,
        name text not null,
        source text not null,
        created_at timestamptz not null,
        constraint instance_is_one check (only_row)
    )
    """,
    """
    create table app.programme (
        only_row boolean primary key default true,
        timezone text not null,
        area_type text,
        stored_at timestamptz not null,
        constraint programme_is_one check (only_row)
    )
    """,
    """
    create table app.task_definition (
        name text primary key,
        title text not null,
        icon text,
        form_codes text[] not null,
        applies_if jsonpath,
        appointment_path text[],
        is_resolved_by_default boolean not null,
        default_form text,
        newer_report_forms text[] not null,
        excludes_muted_or_dead boolean not null,
        priority_level integer,
        priority_label text,
        roles text[] not null,
        reasons text[] not null,
        hash text not null
    )
    """,
    """
    create table app.task_event (
        definition text not null references app.task_definition (name) on delete cascade,
        event text not null,
        days integer,
        due_path text[],
        offset_days integer not null,
        start_days integer not null,
        end_days integer not null,
        primary key (definition, event),
        constraint task_event_due_one_way check ((days is null) <> (due_path is null))
    )
    """,
    """
    create table app.verification (
        verification_id uuid primary key,
        task_id text not null,
        round integer not null,
        outcome text not null,
        visit_on date,
        reason text,
        note text not null default '',
        replaces text,
        report_id text not null,
        verified_by text not null,
        verified_at timestamptz not null,
        constraint verification_one_per_round unique (task_id, round),
        constraint verification_one_per_report unique (report_id),
        constraint verification_rounds_from_one check (round >= 1),
        constraint verification_outcome_known check (outcome in ('visited', 'not_visited')),
        constraint verification_details_fit_outcome check (
            (visit_on is null or outcome = 'visited')
            and (reason is null or outcome = 'not_visited')
        )
    )
    """,
    """
    create table app.outbox (
        verification_id uuid primary key references app.verification (verification_id),
        report_id text not null,
        report jsonb not null,
        state text not null default 'pending',
        attempts integer not null default 0,
        next_attempt_at timestamptz not null,
        last_error text,
        accepted_at timestamptz not null,
        sent_at timestamptz,
        confirmed_at timestamptz,
        constraint outbox_one_per_report unique (report_id),
        constraint outbox_state_known check (
            state in ('pending', 'sent', 'confirmed', 'refused', 'withdrawn')
        )
    )
    """,
    "create index outbox_to_send on app.outbox (next_attempt_at) where state = 'pending'",
    """
    create index outbox_to_confirm
    on app.outbox (report_id) where state in ('sent', 'confirmed')
    """,
    """
    create table app.session (
        token_hash bytea primary key,
        user_name text not null,
        roles text[] not null,
        facility_uuids text[] not null,
        contact_uuid text,
        created_at timestamptz not null,
        expires_at timestamptz not null
    )
    """,
    """
    create table app.idempotency_key (
        user_name text not null,
        key text not null,
        request_hash bytea not null,
        verification_id uuid references app.verification (verification_id),
        created_at timestamptz not null,
        primary key (user_name, key)
    )
    """,
    """
    create table app.refresh_run (
        run_id bigserial primary key,
        tier text not null,
        started_at timestamptz not null,
        finished_at timestamptz not null,
        is_success boolean not null,
        failed_model text,
        project_hash text not null,
        constraint refresh_run_tier_known check (tier in ('live', 'published'))
    )
    """,
    "create index refresh_run_latest on app.refresh_run (tier, finished_at)",
)

_FUNCTIONS = (
    """
    create function app.programme_zone() returns text
    language sql stable
    as $$ select coalesce((select programme.timezone from app.programme), 'UTC') $$
    """,
    # WORKLIST_NOW reaches SQL as the setting worklist.now; a bare day means its noon.
    """
    create function app.worklist_now() returns timestamptz
    language sql stable
    as $$
        select case
            when coalesce(current_setting('worklist.now', true), '') = '' then now()
            when length(current_setting('worklist.now')) = 10 then
                (current_setting('worklist.now')::date + time '12:00')
                at time zone app.programme_zone()
            else current_setting('worklist.now')::timestamptz
        end
    $$
    """,
    """
    create function app.today() returns date
    language sql stable
    as $$ select (app.worklist_now() at time zone app.programme_zone())::date $$
    """,
    # RFC 9562 version 8 from SHA-256: PostgreSQL has no SHA-1 of its own, which version 5 needs.
    """
    create function app.task_uuid(task_id text) returns uuid
    language sql immutable strict parallel safe
    as $$
        select encode(
            set_byte(
                set_byte(digest.value, 6, (get_byte(digest.value, 6) & 15) | 128),
                8, (get_byte(digest.value, 8) & 63) | 128
            ),
            'hex'
        )::uuid
        from (
            select substring(
                sha256(
                    decode('5d0c7c1e6d0b4ad09b5e7c4a3f6f2b11', 'hex')
                    || convert_to(task_id, 'UTF8')
                ) from 1 for 16
            ) as value
        ) as digest
    $$
    """,
    # The one place where a document's days, moments and numbers are read; none of these raises.
    r"""
    create function app.read_day(value text, zone text) returns date
    language sql stable parallel safe
    as $$
        select case
            when value ~ '^\d{4}-\d{2}-\d{2}' then
                case
                    when substr(value, 1, 4)::int < 1 then null
                    when substr(value, 6, 2)::int not between 1 and 12 then null
                    when substr(value, 9, 2)::int not between 1 and extract(
                        day from make_date(substr(value, 1, 4)::int, substr(value, 6, 2)::int, 1)
                        + interval '1 month - 1 day'
                    ) then null
                    else make_date(
                        substr(value, 1, 4)::int,
                        substr(value, 6, 2)::int,
                        substr(value, 9, 2)::int
                    )
                end
            when value ~ '^\d{1,14}(\.\d{1,9})?$' then
                (to_timestamp(value::numeric / 1000) at time zone zone)::date
        end
    $$
    """,
    r"""
    create function app.read_moment(value text) returns timestamptz
    language sql stable parallel safe
    as $$
        select case
            when value ~ '^\d{1,14}(\.\d{1,9})?$' then to_timestamp(value::numeric / 1000)
            when app.read_day(value, 'UTC') is null then null
            when value ~ '^.{10}$' then (value || 'T00:00:00Z')::timestamptz
            when value ~ (
                '^.{10}T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?'
                || '(Z|[+-](0\d|1[0-4]):?[0-5]\d)$'
            ) then value::timestamptz
        end
    $$
    """,
    r"""
    create function app.read_count(value text) returns integer
    language sql immutable parallel safe
    as $$ select case when value ~ '^\d{1,9}$' then value::integer end $$
    """,
    # Where clocks turn back over midnight there are two; the CHT takes the first.
    """
    create function app.local_midnight(day date, zone text) returns timestamptz
    language sql stable parallel safe
    as $$
        select case
            when ((day::timestamp at time zone zone) - interval '1 hour') at time zone zone
                = day::timestamp
            then (day::timestamp at time zone zone) - interval '1 hour'
            else day::timestamp at time zone zone
        end
    $$
    """,
)
