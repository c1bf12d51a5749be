"""Examples for the description of the API: invented, and the same patient throughout."""

from pydantic.config import JsonDict, JsonValue

_TASK_ID = "8a2f6c1e-54f1-4d0b-9a53-0c2f6d0c9b11~verify~verify-missed-appointment"
_TASK_UUID = "5b0c8e0a-7f0d-8c5e-9a55-2b61f1d3a0c4"

ANSWERS: list[JsonValue] = [
    {"outcome": "visited", "visit_date": "2026-10-22", "follows_round": 0},
    {"outcome": "not_visited", "reason": "moved", "note": "", "follows_round": 0},
]
MANY: list[JsonValue] = [
    {"task_uuid": _TASK_UUID, "idempotency_key": "2f9c-1", "outcome": "visited"}
]
TASK: JsonDict = {
    "task_id": _TASK_ID,
    "task_uuid": _TASK_UUID,
    "source_id": _TASK_ID.partition("~")[0],
    "definition": "verify-missed-appointment",
    "state": "Ready",
    "standing": "open",
    "flags": [],
    "excluded_reason": None,
    "appointment_task_uuid": _TASK_UUID,
    "report_count": 2,
    "last_reported_at": "2026-11-06T06:00:00Z",
    "patient_uuid": "c0b7a4f2-3f65-4b7a-8f0e-9d1b5a3c7e21",
    "place_uuid": "f7d1c9aa-0e6b-4a6c-8a11-5f2e90b3d472",
    "place_name": "Household 12",
    "area_uuid": "0d4e2b7c-6a1f-4c38-b0a7-7be1c2f9d603",
    "area_name": "Area 3",
    "chw_uuid": "e1f3a5b7-92c4-4d86-a0b8-1c3e5f7a9b2d",
    "chw_name": "CHW of area 3",
    "facility_uuid": "3c5e7a9b-1d2f-4b60-8c4e-6f8a0b2d4e61",
    "facility_name": "Site 1",
    "appointment_on": "2026-10-21",
    "days_since_appointment": 30,
    "reported_at": "2026-11-05T06:00:00Z",
    "opens_on": "2026-11-05",
    "due_on": "2026-11-05",
    "closes_on": "2026-12-03",
    "days_overdue": 15,
    "days_left": 13,
    "resolved_at": None,
    "resolved_by_report": None,
    "resolved_by_form": None,
    "verification_round": None,
    "verification_outcome": None,
    "verification_reason": None,
    "verification_answered_in": None,
    "verification_sender_name": None,
    "verified_at": None,
    "verified_by": None,
    "title": "Verify missed appointment",
    "patient_name": "Patient 7",
    "patient_id": "48213",
    "reported_patient_uuid": "c0b7a4f2-3f65-4b7a-8f0e-9d1b5a3c7e21",
    "phone": "+265 991 000 007",
    "sex": "female",
    "date_of_birth": "1988-04-02",
    "traced_at": None,
    "trace_outcome": None,
    "last_round": 0,
    "last_note": None,
    "noted_by": None,
    "noted_at": None,
}
ACCEPTED: JsonDict = {
    "verification_id": "b4c1f0de-4d3f-4a5f-8a6e-0b7f4c2d9e13",
    "report_id": "9e1d3c5b-7a90-5f2e-8d4c-6b8a0f1e3d52",
    "task_uuid": _TASK_UUID,
    "task_id": _TASK_ID,
    "round": 1,
    "outcome": "visited",
    "visit_on": "2026-10-22",
    "reason": None,
    "note": "",
    "replaces": None,
    "verified_by": "supervisor_site_1",
    "verified_at": "2026-11-20T08:15:00Z",
    "appointment_on": "2026-10-21",
    "patient_uuid": "c0b7a4f2-3f65-4b7a-8f0e-9d1b5a3c7e21",
}
