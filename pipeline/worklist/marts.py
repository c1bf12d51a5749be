"""The live marts that `store` reads, as SQLAlchemy names them. dbt owns them; here only columns."""

from sqlalchemy import Boolean, Column, Date, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

_marts = MetaData()

identified_task = Table(
    "identified_task",
    _marts,
    *(
        Column(name, Text)
        for name in (
            *("task_id", "source_id", "definition", "state", "standing"),
            *("excluded_reason", "appointment_task_id"),
            *("patient_uuid", "patient_name", "patient_id"),
            *("reported_patient_uuid", "phone", "sex", "place_uuid", "place_name", "area_uuid"),
            *("area_name", "chw_uuid", "chw_name", "resolved_by_report", "resolved_by_form"),
            *("verification_outcome", "verification_report_id", "verification_reason"),
            *("verification_answered_in", "verification_sender_uuid", "verified_by"),
        )
    ),
    *(
        Column(name, Date)
        for name in ("appointment_on", "opens_on", "due_on", "closes_on", "date_of_birth")
    ),
    *(
        Column(name, Integer)
        for name in (
            *("days_since_appointment", "days_overdue", "days_left", "verification_round"),
            *("last_round", "report_count"),
        )
    ),
    *(
        Column(name, DateTime(timezone=True))
        for name in ("reported_at", "last_reported_at", "resolved_at", "verified_at")
    ),
    Column("task_uuid", Uuid),
    Column("flags", ARRAY(Text)),
    Column("is_open_as_landed", Boolean),
    schema="worklist_pii",
)

place = Table(
    "place",
    _marts,
    Column("place_uuid", Text),
    Column("place_name", Text),
    Column("place_type", Text),
    schema="worklist_live",
)

place_scope = Table(
    "place_scope",
    _marts,
    Column("place_uuid", Text),
    Column("ancestor_uuid", Text),
    Column("depth", Integer),
    schema="worklist_live",
)

contact_place = Table(
    "contact_place",
    _marts,
    Column("contact_uuid", Text),
    Column("place_uuid", Text),
    schema="worklist_live",
)

user_account = Table(
    "user_account",
    _marts,
    Column("user_name", Text),
    Column("roles", ARRAY(Text)),
    Column("facility_uuids", ARRAY(Text)),
    Column("contact_uuid", Text),
    Column("is_online", Boolean),
    Column("is_active", Boolean),
    schema="worklist_live",
)


def _verification(name: str) -> Table:
    return Table(
        name,
        _marts,
        *(
            Column(column, Text)
            for column in (
                *("report_id", "task_id", "outcome", "reason", "replaces", "answered_in"),
                *("void_reason", "sender_uuid", "verified_by", "delivery"),
            )
        ),
        Column("round", Integer),
        Column("appointment_on", Date),
        Column("visit_on", Date),
        Column("verified_at", DateTime(timezone=True)),
        schema="worklist_live",
    )


verification = _verification("verification")
task_verification = _verification("task_verification")

to_trace = Table(
    "to_trace",
    _marts,
    Column("task_id", Text),
    Column("patient_uuid", Text),
    Column("traced_at", DateTime(timezone=True)),
    Column("trace_outcome", Text),
    schema="worklist_live",
)

patient_report = Table(
    "patient_report",
    _marts,
    *(
        Column(name, Text)
        for name in ("report_uuid", "patient_uuid", "form", "kind", "trace_outcome")
    ),
    Column("reported_at", DateTime(timezone=True)),
    schema="worklist_live",
)

patient_trace = Table(
    "patient_trace",
    _marts,
    *(Column(name, Text) for name in ("report_uuid", "patient_uuid", "definition")),
    Column("traced_at", DateTime(timezone=True)),
    Column("trace_outcome", Text),
    schema="worklist_live",
)

contact = Table(
    "patient",
    _marts,
    Column("patient_uuid", Text),
    Column("patient_name", Text),
    schema="worklist_pii",
)

note = Table(
    "note",
    _marts,
    *(
        Column(name, Text)
        for name in (
            *("report_uuid", "patient_uuid", "patient_name", "patient_id"),
            *("contact_label", "note"),
        )
    ),
    schema="worklist_pii",
)

translation = Table(
    "translation",
    _marts,
    *(Column(name, Text) for name in ("language", "key", "text")),
    schema="worklist_live",
)
