"""The tables that alembic owns: columns, comments, privileges. What dbt builds is not here.

Moments are `timestamptz`, except `saved_timestamp`, whose type is cht-sync's. Each table says which
role may do what with it (`_granted`); `grants.py` grants that and no more. A test compares these
tables with the migrated schema; check constraints are in the migrations alone.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
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


def landing(schema: str = "v1", table: str = "couchdb") -> MetaData:
    """The landing under the operator's names. Only `sync/` writes it."""
    metadata = MetaData(schema=schema)
    number = Sequence(f"{table}_landed_number", metadata=metadata)
    Table(
        table,
        metadata,
        Column("saved_timestamp", DateTime, comment="when the row was written, UTC"),
        Column("_id", String, nullable=False, comment="the document's id"),
        Column("_deleted", Boolean, comment="true once deleted in the CHT"),
        Column("source", String, nullable=False, comment="host/database, as cht-sync writes it"),
        Column("doc", JSONB, comment="the latest revision; a stub if deleted"),
        Column(
            "landed_number",
            BigInteger,
            number,
            nullable=False,
            server_default=number.next_value(),
            comment="visible in ascending order within a source; 0 in adopted rows",
        ),
        Column("last_content", JSONB, comment="content of a deleted document before its deletion"),
        PrimaryKeyConstraint("source", "_id", name=f"{table}_pkey"),
        Index(f"{table}_by_number", "source", "landed_number"),
        Index(f"{table}__deleted", "_deleted"),
        Index(f"{table}_saved_timestamp", "saved_timestamp"),
        # The service confirms reports by their ids and never reads documents.
        info=_granted(
            sync=_READ_AND_WRITE, service="select (_id, _deleted, source, landed_number)"
        ),
    )
    Table(
        "couchdb_progress",
        metadata,
        Column("seq", String, comment="the last sequence stored, opaque"),
        Column("pending", Integer, comment="changes left in the feed at that time"),
        Column("updated_at", Moment),
        Column("source", String, primary_key=True),
        info=_granted(sync=_READ_AND_WRITE, service="select (updated_at)"),
    )
    Table(
        f"{table}_altered",
        metadata,
        Column("source", String, primary_key=True),
        Column("_id", String, primary_key=True),
        Column("reason", Text, nullable=False, comment="what was altered to store it"),
        Column("altered_at", Moment, nullable=False),
        info=_granted(sync=_READ_AND_WRITE),
    )
    Table(
        f"{table}_set_aside",
        metadata,
        Column("source", String, primary_key=True),
        Column("id_bytes", LargeBinary, primary_key=True, comment="the document's id as received"),
        Column("content", LargeBinary, nullable=False, comment="the document, ready to land"),
        Column("reason", Text, nullable=False, comment="why PostgreSQL refused it"),
        Column("set_aside_at", Moment, nullable=False),
        info=_granted(sync=_READ_AND_WRITE),
    )
    Table(
        f"{table}_sync_failure",
        metadata,
        Column("source", String, primary_key=True),
        Column("failing_since", Moment, nullable=False, comment="since the last success"),
        Column("failed_at", Moment, nullable=False, comment="latest failure"),
        Column("reason", Text, nullable=False, comment="the latest error"),
        info=_granted(sync=_READ_AND_WRITE),
    )
    return metadata


metadata = MetaData(schema="app")


def _single_row() -> Column[bool]:
    return Column("only_row", Boolean, primary_key=True, server_default=text("true"))


instance = Table(
    "instance",
    metadata,
    _single_row(),
    Column("name", Text, nullable=False, comment="the CHT's name; part of every report id"),
    Column("source", Text, nullable=False, comment="the landed database that gives tasks"),
    Column("created_at", Moment, nullable=False),
    info=_granted(sync="select", service="select"),
    comment="the one CHT that this database serves",
)

programme = Table(
    "programme",
    metadata,
    _single_row(),
    Column("timezone", Text, nullable=False, comment="IANA name; days are days there"),
    Column("area_type", Text, comment="contact type of a CHW's area"),
    Column(
        "timely_past_days", Integer, nullable=False, comment="the longest since a timely task ended"
    ),
    Column(
        "timely_future_days",
        Integer,
        nullable=False,
        comment="the longest until a timely task starts",
    ),
    Column("stored_at", Moment, nullable=False),
    info=_granted(sync="select, insert, update", service="select", analyst_pii="select (timezone)"),
    comment="settings of tasks.yml for the whole programme",
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
    Column("appointment_path", ARRAY(Text), comment="path of the missed appointment's day"),
    Column("contact_label_path", ARRAY(Text), comment="path of the name to show"),
    Column("is_resolved_when_cleared", Boolean, nullable=False, comment="for scheduled tasks"),
    Column("excludes_muted_or_dead", Boolean, nullable=False),
    Column("priority_level", Integer),
    Column("priority_label", Text),
    Column("roles", ARRAY(Text), nullable=False, comment="roles that the tasks are assigned to"),
    Column("reasons", ARRAY(Text), nullable=False, comment="offered for not_visited, in order"),
    Column("hash", Text, nullable=False, comment="hash of everything that derived rows depend on"),
    Column("tracing_forms", ARRAY(Text), nullable=False, comment="forms of tracing visits"),
    Column("trace_outcome_path", ARRAY(Text), comment="path of the outcome in such a report"),
    Column(
        "reasons_not_to_trace", ARRAY(Text), nullable=False, comment="nobody is sent after these"
    ),
    Column(
        "is_verified_in_cht",
        Boolean,
        nullable=False,
        comment="whether verifications made in the CHT itself count",
    ),
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
    Column("event", Text, primary_key=True, comment="its id, 0 if left out"),
    Column("days", Integer, comment="due this many days after the source"),
    Column("due_path", ARRAY(Text), comment="or path of the due day in the document"),
    Column("offset_days", Integer, nullable=False, comment="added to the day at due_path"),
    Column("start_days", Integer, nullable=False, comment="opens this many days before due"),
    Column("end_days", Integer, nullable=False, comment="closes this many days after due"),
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
    Column("alternative", Integer, nullable=False, comment="all of one alternative are needed"),
    Column("form", Text, nullable=False, comment="form of the report that resolves"),
    Column(
        "is_default", Boolean, nullable=False, comment="inside the window; else after the source"
    ),
    Column("condition", JSONPATH, comment="a predicate over the report"),
    Column("source_path", ARRAY(Text), comment="path at which the report names the source"),
    Column("visit_path", ARRAY(Text), comment="path of a day that is not before the appointment"),
    comment="one row per report named in a definition's resolvedIf",
    info=_granted(sync=_READ_AND_WRITE, service="select"),
)

verification = Table(
    "verification",
    metadata,
    Column("verification_id", Uuid, primary_key=True),
    Column("task_id", Text, nullable=False),
    Column("round", Integer, nullable=False, comment="1 for the first answer to a task"),
    Column("outcome", Text, nullable=False, comment="visited or not_visited"),
    Column("visit_on", Date, comment="only with visited"),
    Column("reason", Text, comment="only with not_visited"),
    Column("note", Text, nullable=False, server_default=""),
    Column("replaces", Text, comment="id of the report that this answer corrects"),
    Column("report_id", Text, nullable=False, comment="_id of the verification report"),
    Column("verified_by", Text, nullable=False, comment="the supervisor's user name"),
    Column("verified_at", Moment, nullable=False),
    Column("appointment_on", Date, comment="the appointment it answers, if known"),
    Column("patient_uuid", Text, comment="the patient, if known"),
    UniqueConstraint("task_id", "round", name="verification_one_per_round"),
    UniqueConstraint("report_id", name="verification_one_per_report"),
    Index("verification_of_patient", "patient_uuid"),
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
    info=_granted(sync="select", service="select, insert"),
    comment="notes on open tasks; never changed, never sent to the CHT",
)

outbox = Table(
    "outbox",
    metadata,
    Column(
        "verification_id", Uuid, ForeignKey("app.verification.verification_id"), primary_key=True
    ),
    Column("report_id", Text, nullable=False, comment="_id of the document in the CHT"),
    Column("report", JSONB, nullable=False, comment="the verification report as sent"),
    Column(
        "state",
        Text,
        nullable=False,
        server_default="pending",
        comment="pending, sent, confirmed, refused or withdrawn",
    ),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Moment, nullable=False, comment="not before; also ends a claim"),
    Column("last_error", Text, comment="the CHT's answer at the last failure"),
    Column("accepted_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Column("confirmed_at", Moment, comment="when the report was found in the landing"),
    Column("dropped_because", Text, comment="why an operator dropped the report"),
    Column("dropped_at", Moment),
    UniqueConstraint("report_id", name="outbox_one_per_report"),
    Index(
        "outbox_to_send",
        "accepted_at",
        "verification_id",
        postgresql_where=text("state = 'pending'"),
    ),
    Index("outbox_to_confirm", "report_id", postgresql_where=text("state = 'sent'")),
    info=_granted(sync="select, update", service="select, insert, update"),
    comment="delivery of each verification to the CHT",
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
        comment="compared with the outbox up to here",
    ),
    Column("stopped_at", Moment, comment="nothing could be sent since"),
    Column("stopped_because", Text, comment="the CHT's answer"),
    info=_granted(sync="select, update", service="select, update"),
    comment="progress of the write-back",
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
    Column("rights_at", Moment, nullable=False, comment="when the CHT last confirmed the rights"),
    Column("next_asking_at", Moment, nullable=False, comment="not before; also ends a claim"),
    info=_granted(service=_READ_AND_WRITE),
    comment="signed-in users; holds no password and no CHT cookie",
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("attempt_id", Uuid, primary_key=True),
    Column("key_hash", LargeBinary, primary_key=True, comment="SHA-256 of a user name or address"),
    Column("failed_at", Moment, nullable=False),
    info=_granted(service="select, insert, delete"),
    prefixes=["unlogged"],
    comment="recent sign-ins that the CHT refused or has not answered yet",
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("user_name", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("verification_id", Uuid, ForeignKey("app.verification.verification_id"), nullable=False),
    Column("created_at", Moment, nullable=False),
    info=_granted(service=_READ_AND_WRITE),
    comment="answers accepted under a key, kept for 24 hours",
)

refresh_run = Table(
    "refresh_run",
    metadata,
    Column("run_id", BigInteger, Identity(), primary_key=True),
    Column("tier", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("is_success", Boolean, nullable=False),
    Column("failed_model", Text),
    Column("project_hash", Text, nullable=False, comment="hash of the dbt project that ran"),
    Index("refresh_run_latest", "tier", "finished_at"),
    info=_granted(sync="select, insert", service="select"),
    comment="runs of dbt",
)
