"""The tables of the service, and the schemas that dbt fills"""

from alembic import op

revision = "0002_tables"
down_revision = "0001_landing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in (*_PROGRAMME, *_ANSWERS, *_SIGN_IN, *_REFRESH):
        op.execute(statement)


_PROGRAMME = (
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
        timely_past_days integer not null,
        timely_future_days integer not null,
        stored_at timestamptz not null,
        constraint programme_is_one check (only_row)
    )
    """,
    """
    create table app.task_definition (
        name text primary key,
        title text not null,
        icon text,
        applies_to text not null,
        applies_to_type text[],
        applies_if jsonpath,
        appointment_path text[],
        contact_label_path text[],
        is_resolved_when_cleared boolean not null,
        excludes_muted_or_dead boolean not null,
        priority_level integer,
        priority_label text,
        roles text[] not null,
        reasons text[] not null,
        hash text not null,
        tracing_forms text[] not null,
        trace_outcome_path text[],
        reasons_not_to_trace text[] not null,
        is_verified_in_cht boolean not null,
        constraint task_definition_applies_to_known check (
            applies_to in ('reports', 'contacts', 'scheduled_tasks')
        )
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
        constraint task_event_due_by_days_or_path check ((days is null) <> (due_path is null))
    )
    """,
    """
    create table app.task_resolver (
        definition text not null references app.task_definition (name) on delete cascade,
        resolver integer not null,
        alternative integer not null,
        form text not null,
        is_default boolean not null,
        condition jsonpath,
        source_path text[],
        visit_path text[],
        primary key (definition, resolver)
    )
    """,
)

_ANSWERS = (
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
        appointment_on date,
        patient_uuid text,
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
    "create index verification_of_patient on app.verification (patient_uuid)",
    """
    create table app.task_note (
        note_id uuid primary key,
        task_id text not null,
        note text not null,
        noted_by text not null,
        noted_at timestamptz not null
    )
    """,
    "create index task_note_of_task on app.task_note (task_id, noted_at)",
    # Each row holds a whole report and changes state twice: free space in its block makes these
    # updates HOT, so that they touch no index.
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
        dropped_because text,
        dropped_at timestamptz,
        constraint outbox_one_per_report unique (report_id),
        constraint outbox_state_known check (
            state in ('pending', 'sent', 'confirmed', 'refused', 'withdrawn')
        )
    ) with (fillfactor = 50)
    """,
    """
    create index outbox_to_send
    on app.outbox (accepted_at, verification_id) where state = 'pending'
    """,
    "create index outbox_to_confirm on app.outbox (report_id) where state = 'sent'",
    """
    create table app.write_back (
        only_row boolean primary key default true,
        landed_number bigint not null default 0,
        stopped_at timestamptz,
        stopped_because text,
        constraint write_back_is_one check (only_row)
    )
    """,
    "insert into app.write_back default values",
    """
    create table app.idempotency_key (
        user_name text not null,
        key text not null,
        request_hash bytea not null,
        verification_id uuid not null references app.verification (verification_id),
        created_at timestamptz not null,
        primary key (user_name, key)
    )
    """,
)

_SIGN_IN = (
    """
    create table app.session (
        token_hash bytea primary key,
        user_name text not null,
        roles text[] not null,
        facility_uuids text[] not null,
        contact_uuid text,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        used_at timestamptz not null,
        rights_at timestamptz not null,
        next_asking_at timestamptz not null
    )
    """,
    # Failures count for seconds: nothing is lost with them when PostgreSQL crashes.
    """
    create unlogged table app.sign_in_failure (
        attempt_id uuid,
        key_hash bytea,
        failed_at timestamptz not null,
        primary key (attempt_id, key_hash)
    )
    """,
)

_REFRESH = (
    """
    create table app.refresh_run (
        run_id bigint generated by default as identity primary key,
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
    "create schema if not exists worklist",
    "create schema if not exists worklist_live",
    "create schema if not exists worklist_pii",
    "create schema if not exists worklist_build",
)
