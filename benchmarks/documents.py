"""Invented reports of 1.4 KB, as a CHT's app forms make them."""

from random import Random
from typing import Any

QUESTIONS = 18


def report(number: int, randomness: Random) -> dict[str, Any]:
    """A report with its revision; as JSON about 1,450 bytes."""

    def uuid() -> str:
        return f"{randomness.getrandbits(128):032x}"

    area = {"_id": uuid(), "parent": {"_id": uuid(), "parent": {"_id": uuid()}}}
    answers = {f"question_{each}": f"answer {number} to {each} here" for each in range(QUESTIONS)}
    return {
        "_id": uuid(),
        "_rev": f"1-{uuid()}",
        "type": "data_record",
        "form": "trace",
        "content_type": "xml",
        "reported_date": 1_760_000_000_000 + number,
        "from": f"+265{number:09d}",
        "contact": {"_id": uuid(), "parent": area},
        "fields": {
            "inputs": {"source": "user", "contact": {"_id": uuid(), "name": f"Person {number}"}},
            "patient_uuid": uuid(),
            "patient_id": str(number),
            "trace_details": {
                "trace_reasons": "art ncd",
                "missed_appointment_date": f"2026-10-{number % 28 + 1:02d}",
                "visit": "immediately",
                "next_visit": "",
            },
            **answers,
            "meta": {"instanceID": f"uuid:{uuid()}"},
        },
    }
