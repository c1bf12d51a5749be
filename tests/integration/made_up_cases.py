"""Cases of the oracle's format with what the field sends, made up from a seed.

No engine has answered them: they try that our tables say what `oracle/rules_engine.py` foresees of
appointments that are reported again, shared shortcodes, answers of various senders, and dates
that cannot be.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from oracle.recorded_cases import ROLE, VERIFICATION_FORM, Case, own

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
# So many reports may be named by an answer, and have an appointment day.
NAMED = 3
DAY = 24 * 3_600_000
_FIRST_NUMBER = 5_000_001
_MILLISECONDS = int(NOW.timestamp() * 1000)


def cases(seed: int, count: int) -> Iterator[Case]:
    chance = random.Random(seed)
    for position in range(count):
        yield own(
            {**_case(chance), "id": f"{seed}-{position}", "number": str(_FIRST_NUMBER + position)}
        )


def _case(chance: random.Random) -> Case:
    reports = [_missed(chance, number) for number in range(chance.randint(2, 5))]
    visits = [_visit(chance, number) for number in range(chance.choice([0, 0, 1, 2]))]
    answers = [_answer(chance, number) for number in range(chance.choice([0, 1, 1, 2, 3]))]
    documents = [*_people(chance), *reports, *visits, *answers]
    chance.shuffle(documents)
    return {
        "timezone": "Africa/Blantyre",
        "now": NOW.isoformat().replace("+00:00", "Z"),
        "core": False,
        "definition": {
            "name": "verify",
            "appliesTo": "reports",
            "appliesToType": ["trace"],
            "appliesIf": None,
            "appointmentDatePath": "fields.missed",
            "excludeMutedOrDead": True,
            "events": [{"id": "missed", "days": 0, "start": 0, "end": chance.choice([9, 28])}],
            "actions": [{"type": "report", "form": VERIFICATION_FORM}],
            "resolvedBy": {"default": True, "form": VERIFICATION_FORM, "orForms": ["visit"]},
        },
        "docs": documents,
        "expected": [],
    }


def _people(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Two patients, who may share their shortcode, a supervisor, and a CHW."""
    codes = ["48101", chance.choice(["48101", "48202"])]
    for name, code in zip(("anna", "berta"), codes, strict=True):
        yield {"_id": name, "type": "person", "patient_id": code}
    for name in ("boss", "chw"):
        yield {"_id": name, "type": "person"}
    yield {
        "_id": "user",
        "type": "user-settings",
        "name": "sup",
        "roles": ["mm-online", ROLE],
        "contact_id": "boss",
    }


def _missed(chance: random.Random, number: int) -> dict[str, Any]:
    days = ["2026-11-01"] * 4 + ["2026-11-08"] * 2
    if number >= NAMED:
        days += ["9999-12-31", "2026-02-30", ""]
    document = {
        "_id": f"missed{number}",
        "type": "data_record",
        "form": "trace",
        "reported_date": _reported(chance),
        "fields": {**_about(chance), "missed": chance.choice(days)},
    }
    return {**document, "deleted": True} if chance.random() < 0.1 else document


def _visit(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "_id": f"visit{number}",
        "type": "data_record",
        "form": "visit",
        "reported_date": _reported(chance),
        "fields": _about(chance),
    }


def _answer(chance: random.Random, number: int) -> dict[str, Any]:
    """Of a task, with the day or without; or of a patient, as the form filled in by hand."""
    named = chance.choice(["", *(f"missed{one}~missed~verify" for one in range(NAMED))])
    outcome = chance.choice(["visited", "not_visited", "not_visited", ""])
    day = chance.choice(["", "2026-11-01", "2026-11-08"]) if named else ""
    return {
        "_id": f"answer{number}",
        "type": "data_record",
        "form": VERIFICATION_FORM,
        "reported_date": _MILLISECONDS - number,
        "contact": {"_id": chance.choice(["boss", "boss", "chw"])},
        "fields": {
            **_about(chance),
            "inputs": {"task_id": named},
            "appointment_date": day,
            "verification": {"outcome": outcome},
        },
    }


def _about(chance: random.Random) -> dict[str, str]:
    ways: list[dict[str, str]] = [
        *([{"patient_uuid": "anna"}] * 4),
        {"patient_uuid": "berta"},
        {"patient_id": "48101"},
        {"patient_id": "48101", "patient_uuid": "berta"},
        {"patient_id": "99999"},
        {},
    ]
    return chance.choice(ways)


def _reported(chance: random.Random) -> Any:
    """In the last week, mostly."""
    moment = _MILLISECONDS - chance.randint(1, 7) * DAY - chance.randint(0, 3)
    odd: list[Any] = [moment // 1000, str(moment), "0001-01-01", None]
    return moment if chance.random() < 0.9 else chance.choice(odd)
