"""The columns of the live marts that `store` reads, for SQLAlchemy. dbt owns the marts."""

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Integer,
    TableClause,
    Text,
    Uuid,
    column,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY

identified_task = table(
    "identified_task",
    *(
        column(name, Text)
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
        column(name, Date)
        for name in ("appointment_on", "opens_on", "due_on", "closes_on", "date_of_birth")
    ),
    *(
        column(name, Integer)
        for name in (
            *("days_since_appointment", "days_overdue", "days_left", "verification_round"),
            *("last_round", "report_count"),
        )
    ),
    *(
        column(name, DateTime(timezone=True))
        for name in ("reported_at", "last_reported_at", "resolved_at", "verified_at")
    ),
    column("task_uuid", Uuid),
    column("flags", ARRAY(Text)),
    column("is_open_as_landed", Boolean),
    schema="worklist_pii",
)

place = table(
    "place",
    column("place_uuid", Text),
    column("place_name", Text),
    column("place_type", Text),
    schema="worklist_live",
)

place_scope = table(
    "place_scope",
    column("place_uuid", Text),
    column("ancestor_uuid", Text),
    column("depth", Integer),
    schema="worklist_live",
)

contact_place = table(
    "contact_place",
    column("contact_uuid", Text),
    column("place_uuid", Text),
    schema="worklist_live",
)

user_account = table(
    "user_account",
    column("user_name", Text),
    column("roles", ARRAY(Text)),
    column("facility_uuids", ARRAY(Text)),
    column("contact_uuid", Text),
    column("is_online", Boolean),
    column("is_active", Boolean),
    schema="worklist_live",
)


def _verification(name: str) -> TableClause:
    return table(
        name,
        *(
            column(column_name, Text)
            for column_name in (
                *("report_id", "task_id", "outcome", "reason", "replaces", "answered_in"),
                *("void_reason", "sender_uuid", "verified_by", "delivery"),
            )
        ),
        column("round", Integer),
        column("appointment_on", Date),
        column("visit_on", Date),
        column("verified_at", DateTime(timezone=True)),
        schema="worklist_live",
    )


verification = _verification("verification")
task_verification = _verification("task_verification")

to_trace = table(
    "to_trace",
    column("task_id", Text),
    column("patient_uuid", Text),
    column("traced_at", DateTime(timezone=True)),
    column("trace_outcome", Text),
    schema="worklist_live",
)

patient_report = table(
    "patient_report",
    *(
        column(name, Text)
        for name in ("report_uuid", "patient_uuid", "form", "kind", "trace_outcome")
    ),
    column("reported_at", DateTime(timezone=True)),
    schema="worklist_live",
)

patient_trace = table(
    "patient_trace",
    *(column(name, Text) for name in ("report_uuid", "patient_uuid", "definition")),
    column("traced_at", DateTime(timezone=True)),
    column("trace_outcome", Text),
    schema="worklist_live",
)

contact = table(
    "patient",
    column("patient_uuid", Text),
    column("patient_name", Text),
    schema="worklist_pii",
)

note = table(
    "note",
    *(
        column(name, Text)
        for name in (
            *("report_uuid", "patient_uuid", "patient_name", "patient_id"),
            *("contact_label", "note"),
        )
    ),
    schema="worklist_pii",
)

translation = table(
    "translation",
    *(column(name, Text) for name in ("language", "key", "text")),
    schema="worklist_live",
)
