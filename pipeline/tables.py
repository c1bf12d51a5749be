"""The tables that alembic owns, on one page. What dbt derives is not here.

Moments are `timestamptz`, UTC on the wire, except `saved_timestamp`, whose type is cht-sync's.
Each table says which role may do what with it (`_granted`); `grants.py` grants that and no more.
A test compares this page with what the migrations build.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH

Moment = DateTime(timezone=True)
SYNC, SERVICE = "worklist_sync", "worklist_service"
ANALYST, ANALYST_PII = "worklist_analyst", "worklist_analyst_pii"
_READ_AND_WRITE = "select, insert, update, delete"


def _granted(sync: str = "", service: str = "", analyst_pii: str = "") -> dict[str, dict[str, str]]:
    """The privileges of each role, as GRANT writes them."""
    return {"privileges": {SYNC: sync, SERVICE: service, ANALYST_PII: analyst_pii}}


def landing(metadata: MetaData, schema: str = "v1", table: str = "couchdb") -> None:
    """Adds the landing to `metadata` under the operator's names; written by `sync/` alone."""
    number = Sequence(f"{table}_landed_number", schema=schema, metadata=metadata)
    Table(
        table,
        metadata,
        Column("saved_timestamp", DateTime, comment="when the row was written, UTC"),
        Column("_id", String, nullable=False, comment="the document's id"),
        Column("_deleted", Boolean, comment="true once deleted in the CHT"),
        Column("source", String, nullable=False, comment="host/database, as cht-sync writes it"),
        Column("doc", JSONB, comment="the latest revision; of a deleted document its stub"),
        Column(
            "landed_number",
            BigInteger,
            number,
            nullable=False,
            server_default=number.next_value(),
            comment="grows with every write; within a source visible in ascending order only; "
            "0 of a row that was adopted",
        ),
        Column("last_content", JSONB, comment="what a deleted document held before"),
        PrimaryKeyConstraint("source", "_id", name=f"{table}_pkey"),
        Index(f"{table}_by_number", "source", "landed_number"),
        Index(f"{table}__deleted", "_deleted"),
        Index(f"{table}_saved_timestamp", "saved_timestamp"),
        schema=schema,
        # what was sent is confirmed by its id; documents the service never reads
        info=_granted(
            sync=_READ_AND_WRITE, service="select (_id, _deleted, source, landed_number)"
        ),
    )
    Table(
        "couchdb_progress",
        metadata,
        Column("seq", String, comment="the sequence reached, opaque"),
        Column("pending", Integer, comment="changes that were left then"),
        Column("updated_at", Moment),
        Column("source", String, primary_key=True),
        schema=schema,
        info=_granted(sync=_READ_AND_WRITE, service="select (updated_at)"),
    )
    Table(
        f"{table}_altered",
        metadata,
        Column("source", String, primary_key=True),
        Column("_id", String, primary_key=True),
        Column("reason", Text, nullable=False, comment="what was changed so that it can be stored"),
        Column("altered_at", Moment, nullable=False),
        schema=schema,
        info=_granted(sync=_READ_AND_WRITE),
    )
    Table(
        f"{table}_set_aside",
        metadata,
        Column("source", String, primary_key=True),
        Column("id_bytes", LargeBinary, primary_key=True, comment="the document's id as it came"),
        Column("content", LargeBinary, nullable=False, comment="the document, ready to land"),
        Column("reason", Text, nullable=False, comment="why PostgreSQL would not take it"),
        Column("set_aside_at", Moment, nullable=False),
        schema=schema,
        info=_granted(sync=_READ_AND_WRITE),
    )
    Table(
        f"{table}_sync_failure",
        metadata,
        Column("source", String, primary_key=True),
        Column("failing_since", Moment, nullable=False, comment="first, since anything landed"),
        Column("failed_at", Moment, nullable=False, comment="last"),
        Column("reason", Text, nullable=False, comment="what was said the last time"),
        schema=schema,
        info=_granted(sync=_READ_AND_WRITE),
    )


metadata = MetaData()
landing(metadata)


def _single_row() -> Column[bool]:
    return Column("only_row", Boolean, primary_key=True, server_default=text("true"))


instance = Table(
    "instance",
    metadata,
    _single_row(),
    Column("name", Text, nullable=False, comment="the CHT's name; enters every report id"),
    Column("source", Text, nullable=False, comment="the landed database that tasks come from"),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("only_row", name="instance_is_one"),
    schema="app",
    info=_granted(sync="select", service="select"),
    comment="the one CHT that this database serves",
)

programme = Table(
    "programme",
    metadata,
    _single_row(),
    Column("timezone", Text, nullable=False, comment="IANA name; days are days there"),
    Column("area_type", Text, comment="contact type of a CHW's area"),
    Column("timely_past_days", Integer, nullable=False, comment="timely: ended no longer ago"),
    Column("timely_future_days", Integer, nullable=False, comment="timely: starts no later"),
    Column("stored_at", Moment, nullable=False),
    CheckConstraint("only_row", name="programme_is_one"),
    schema="app",
    info=_granted(sync="select, insert, update", service="select", analyst_pii="select (timezone)"),
    comment="what tasks.yml says of the whole programme",
)

task_definition = Table(
    "task_definition",
    metadata,
    Column("name", Text, primary_key=True),
    Column("title", Text, nullable=False, comment="text, or a translation key of the CHT"),
    Column("icon", Text),
    Column("applies_to", Text, nullable=False, comment="reports, contacts, scheduled_tasks"),
    Column("applies_to_type", ARRAY(Text), comment="forms or contact types; null means any"),
    Column("applies_if", JSONPATH, comment="a predicate over the whole document"),
    Column("appointment_path", ARRAY(Text), comment="where the missed appointment's day stands"),
    Column("contact_label_path", ARRAY(Text), comment="where the name to show stands"),
    Column("is_resolved_when_cleared", Boolean, nullable=False, comment="of scheduled tasks"),
    Column("excludes_muted_or_dead", Boolean, nullable=False),
    Column("priority_level", Integer),
    Column("priority_label", Text),
    Column("roles", ARRAY(Text), nullable=False, comment="who is assigned"),
    Column("reasons", ARRAY(Text), nullable=False, comment="offered for not_visited, in order"),
    Column("hash", Text, nullable=False, comment="of everything that derived rows depend on"),
    Column("tracing_forms", ARRAY(Text), nullable=False, comment="a report means: somebody went"),
    Column("trace_outcome_path", ARRAY(Text), comment="where such a report says what was found"),
    Column("reasons_not_to_trace", ARRAY(Text), nullable=False, comment="nobody is sent for these"),
    Column(
        "is_verified_in_cht",
        Boolean,
        nullable=False,
        comment="whether verifications made in the CHT itself count",
    ),
    CheckConstraint(
        "applies_to in ('reports', 'contacts', 'scheduled_tasks')",
        name="task_definition_applies_to_known",
    ),
    schema="app",
    info=_granted(sync=_READ_AND_WRITE, service="select"),
    comment="one row per entry of tasks.yml",
)

task_event = Table(
    "task_event",
    metadata,
    Column(
        "definition",
        Text,
        ForeignKey("app.task_definition.name", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("event", Text, primary_key=True, comment="the id, or 0 where it was left out"),
    Column("days", Integer, comment="due this many days after the source"),
    Column("due_path", ARRAY(Text), comment="or: where the due day stands in the document"),
    Column("offset_days", Integer, nullable=False, comment="added to the day at due_path"),
    Column("start_days", Integer, nullable=False, comment="opens this many days before due"),
    Column("end_days", Integer, nullable=False, comment="closes this many days after due"),
    CheckConstraint("(days is null) <> (due_path is null)", name="task_event_due_one_way"),
    schema="app",
    info=_granted(sync=_READ_AND_WRITE),
    comment="one row per event of a task definition",
)

task_resolver = Table(
    "task_resolver",
    metadata,
    Column(
        "definition",
        Text,
        ForeignKey("app.task_definition.name", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("resolver", Integer, primary_key=True, comment="position in tasks.yml"),
    Column("alternative", Integer, nullable=False, comment="those of one are all needed"),
    Column("form", Text, nullable=False, comment="of the report that resolves"),
    Column("is_default", Boolean, nullable=False, comment="inside the window; else later"),
    Column("condition", JSONPATH, comment="a predicate over the report"),
    Column("source_path", ARRAY(Text), comment="where the report must hold the source's id"),
    Column("visit_path", ARRAY(Text), comment="a day not before the appointment"),
    schema="app",
    comment="one row per report that a definition's resolvedIf names",
    info=_granted(sync=_READ_AND_WRITE, service="select"),
)

verification = Table(
    "verification",
    metadata,
    Column("verification_id", Uuid, primary_key=True),
    Column("task_id", Text, nullable=False),
    Column("round", Integer, nullable=False, comment="1 for the first answer of a task"),
    Column("outcome", Text, nullable=False),
    Column("visit_on", Date, comment="goes with visited"),
    Column("reason", Text, comment="goes with not_visited"),
    Column("note", Text, nullable=False, server_default=""),
    Column("replaces", Text, comment="the report that this answer corrects"),
    Column("report_id", Text, nullable=False, comment="_id of the verification report"),
    Column("verified_by", Text, nullable=False, comment="the supervisor's user name"),
    Column("verified_at", Moment, nullable=False),
    Column("appointment_on", Date, comment="the appointment it answers; null where unknown"),
    Column("patient_uuid", Text, comment="whose; null where unknown"),
    UniqueConstraint("task_id", "round", name="verification_one_per_round"),
    UniqueConstraint("report_id", name="verification_one_per_report"),
    CheckConstraint("round >= 1", name="verification_rounds_from_one"),
    Index("verification_of_patient", "patient_uuid"),
    CheckConstraint("outcome in ('visited', 'not_visited')", name="verification_outcome_known"),
    CheckConstraint(
        "(visit_on is null or outcome = 'visited') and (reason is null or outcome = 'not_visited')",
        name="verification_details_fit_outcome",
    ),
    schema="app",
    info=_granted(sync="select", service="select, insert"),
    comment="a supervisor's answer to a task; never changed, never deleted",
)

task_note = Table(
    "task_note",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("task_id", Text, nullable=False),
    Column("note", Text, nullable=False, comment="why it cannot be answered yet"),
    Column("noted_by", Text, nullable=False, comment="the supervisor's user name"),
    Column("noted_at", Moment, nullable=False),
    Index("task_note_of_task", "task_id", "noted_at"),
    schema="app",
    info=_granted(sync="select", service="select, insert"),
    comment="what keeps a task open; never changed, never sent to the CHT",
)

outbox = Table(
    "outbox",
    metadata,
    Column(
        "verification_id", Uuid, ForeignKey("app.verification.verification_id"), primary_key=True
    ),
    Column("report_id", Text, nullable=False, comment="the document's _id, as the CHT has it"),
    Column("report", JSONB, nullable=False, comment="the verification report as it will be sent"),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Moment, nullable=False, comment="not before; also a claim's lease"),
    Column("last_error", Text, comment="the other side's words at the last failure"),
    Column("accepted_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("confirmed_at", Moment, comment="when the report was seen in the landing"),
    Column("dropped_because", Text, comment="why a person gave the report up"),
    Column("dropped_at", Moment),
    UniqueConstraint("report_id", name="outbox_one_per_report"),
    CheckConstraint(
        "state in ('pending', 'sent', 'confirmed', 'refused', 'withdrawn')",
        name="outbox_state_known",
    ),
    Index(
        "outbox_to_send",
        "accepted_at",
        "verification_id",
        postgresql_where=text("state = 'pending'"),
    ),
    Index("outbox_to_confirm", "report_id", postgresql_where=text("state = 'sent'")),
    schema="app",
    info=_granted(sync="select, update", service="select, insert, update"),
    comment="the way of each verification to the CHT",
)

write_back = Table(
    "write_back",
    metadata,
    _single_row(),
    Column(
        "landed_number",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="up to which number the outbox was compared with the landing",
    ),
    Column("stopped_at", Moment, comment="since when nothing could be sent"),
    Column("stopped_because", Text, comment="the other side's words"),
    CheckConstraint("only_row", name="write_back_is_one"),
    schema="app",
    info=_granted(sync="select, update", service="select, update"),
    comment="where the write-back stands",
)

session = Table(
    "session",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the cookie's token"),
    Column("user_name", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("facility_uuids", ARRAY(Text), nullable=False),
    Column("contact_uuid", Text),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment, nullable=False, comment="last used, to within five minutes"),
    Column("rights_at", Moment, nullable=False, comment="when the CHT last told the rights"),
    Column(
        "next_asking_at", Moment, nullable=False, comment="not before; also the lease of who asks"
    ),
    schema="app",
    info=_granted(service=_READ_AND_WRITE),
    comment="signed-in users; holds no password and no CHT cookie",
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("attempt_id", Uuid, primary_key=True),
    Column("key_hash", LargeBinary, primary_key=True, comment="SHA-256 of a name or address"),
    Column("failed_at", Moment, nullable=False),
    schema="app",
    info=_granted(service="select, insert, delete"),
    prefixes=["unlogged"],
    comment="sign-ins that the CHT refused in the last seconds, or has not answered yet",
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("user_name", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column(
        "verification_id",
        Uuid,
        ForeignKey("app.verification.verification_id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("created_at", Moment, nullable=False),
    schema="app",
    info=_granted(service=_READ_AND_WRITE),
    comment="answers already accepted under a key, kept for 24 hours",
)

refresh_run = Table(
    "refresh_run",
    metadata,
    Column("run_id", BigInteger, primary_key=True),
    Column("tier", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("is_success", Boolean, nullable=False),
    Column("failed_model", Text),
    Column("project_hash", Text, nullable=False, comment="of the dbt project that ran"),
    CheckConstraint("tier in ('live', 'published')", name="refresh_run_tier_known"),
    Index("refresh_run_latest", "tier", "finished_at"),
    schema="app",
    info=_granted(sync="select, insert", service="select"),
    comment="what dbt did, and when",
)
