"""The text of `worklist status`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline import status

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def ago(**how_long: float) -> datetime:
    return NOW - timedelta(**how_long)


def lines(**more: Any) -> list[str]:
    """Without the first two, which say when and where."""
    outbox = {
        "counts": {"pending": 0},
        "oldest_unsent_at": None,
        "oldest_unconfirmed_at": None,
        "stopped_at": None,
        "stopped_because": None,
        "confirming_seconds": {"median": None, "p95": None},
        "alarms": [],
        **more.pop("write_back", {}),
    }
    report = {"sync": [], "refresh": {}, "void_verifications": {}, **more, "write_back": outbox}
    return status.text({"now": NOW, "database": "here", **report}).splitlines()[2:]


def test_what_never_ran_is_said() -> None:
    assert lines() == [
        "sync: never run",
        "refresh live: never run",
        "refresh published: never run",
        "write-back: 0 pending",
    ]


def test_all_that_went_wrong_is_said() -> None:
    source = {
        "source": "cht/medic",
        "documents": 12345,
        "updated_at": None,
        "pending": None,
        "altered": 1,
        "set_aside": 2,
        "failing_since": ago(days=2),
        "failed_at": ago(minutes=3),
        "failing_because": "It is away.",
    }
    refresh = {
        "live": {"succeeded_at": ago(hours=5), "failed_model": None},
        "published": {"succeeded_at": None, "failed_model": "open_task"},
    }
    outbox = {
        "counts": {"pending": 1, "refused": 1},
        "oldest_unsent_at": ago(hours=3),
        "oldest_unconfirmed_at": ago(hours=4),
        "stopped_at": ago(hours=1),
        "stopped_because": "It may not write.",
        "confirming_seconds": {"median": 61.2, "p95": 300.0},
        "alarms": ["Report a was refused: bad"],
    }
    void = {"no_outcome": 2, "not_authorised": 1}
    assert lines(sync=[source], refresh=refresh, write_back=outbox, void_verifications=void) == [
        "sync cht/medic: 12,345 documents, never synced, 0 changes pending, 1 altered, 2 set aside",
        "  SYNC FAILS since 2026-11-18 10:00 UTC, last 3 minutes ago: It is away.",
        "refresh live: last succeeded 5 hours ago",
        "refresh published: never succeeded; the last run failed in open_task",
        "write-back: 1 pending, 1 refused",
        "  oldest unsent report accepted 3 hours ago",
        "  oldest unconfirmed report sent 4 hours ago",
        "  recent confirmations took 61 s (95%: 300 s)",
        "  SENDING FAILS since 2026-11-20 09:00 UTC: It may not write.",
        "  ALARM: Report a was refused: bad",
        "verifications made in the CHT that do not count: 2 no_outcome, 1 not_authorised",
    ]


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (ago(seconds=-5), "0 seconds ago"),
        (ago(seconds=119), "119 seconds ago"),
        (ago(minutes=2), "2 minutes ago"),
        (ago(minutes=119), "119 minutes ago"),
        (ago(hours=47), "47 hours ago"),
        (ago(days=2), "2 days ago"),
    ],
)
def test_an_age_is_in_the_unit_of_which_there_are_two(then: datetime, words: str) -> None:
    live = {"succeeded_at": then, "failed_model": None}
    assert f"refresh live: last succeeded {words}" in lines(refresh={"live": live})
