"""How fresh the data is, what is waiting, and what needs attention."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg

from pipeline.database import now
from pipeline.refresh import store as refresh_store
from pipeline.sync import store as sync_store
from pipeline.sync.store import Landing
from pipeline.worklist import explanation_facts
from pipeline.writeback import store as outbox_store


def read(
    connection: psycopg.Connection, landing: Landing, sources: Sequence[str], database: str
) -> dict[str, Any]:
    """Times in UTC; `sync` has an entry per source, `refresh` one per tier that has ever run.

    Failures of a source that is not among `sources` are left out.
    """
    report = {
        "now": now(connection),
        "database": database,
        "sync": sync_store.overview(connection, landing, sources),
        "refresh": refresh_store.latest(connection),
        "write_back": outbox_store.overview(connection),
        "void_verifications": explanation_facts.void_verifications(connection),
    }
    return report | {"needs_attention": list(_attention(report))}


def _attention(report: dict[str, Any]) -> Iterator[str]:
    """A sentence for each problem that will not go away by itself."""
    for source in report["sync"]:
        if source["failing_since"]:
            yield f"The sync of {source['source']} fails: {source['failing_because']}"
        if source["set_aside"]:
            yield (
                f"Documents of {source['source']} that could not be stored and were set aside: "
                f"{source['set_aside']}. See docs/operators.md."
            )
    for tier, run in report["refresh"].items():
        if run["failed_model"]:
            yield f"The last {tier} refresh failed in {run['failed_model']}."
    outbox = report["write_back"]
    if outbox.get("stopped_at"):
        yield f"Sending to the CHT fails: {outbox['stopped_because']}"
    yield from outbox["alarms"]


def text(report: dict[str, Any]) -> str:
    """The report as lines of text."""
    moment = report["now"]
    sources = [line for source in report["sync"] for line in _source(source, moment)]
    tiers = [_tier(tier, report["refresh"].get(tier), moment) for tier in ("live", "published")]
    return "\n".join(
        [
            f"As of {moment:%Y-%m-%d %H:%M} UTC",
            f"database: {report['database']}",
            *(sources or ["sync: never run"]),
            *tiers,
            *_outbox(report["write_back"], moment),
            *_void(report["void_verifications"]),
        ]
    )


def _void(counts: dict[str, int]) -> list[str]:
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return [f"verifications made in the CHT that do not count: {reasons}"] if counts else []


def _source(source: dict[str, Any], moment: datetime) -> list[str]:
    reached = (
        f"sync {source['source']}: {source['documents']:,} documents, "
        f"{_last('synced', source['updated_at'], moment)}, "
        f"{source['pending'] or 0:,} changes pending, "
        f"{source['altered']} altered, {source['set_aside']} set aside"
    )
    since = source["failing_since"]
    if since is None:
        return [reached]
    return [
        reached,
        f"  SYNC FAILS since {since:%Y-%m-%d %H:%M} UTC, last {_age(source['failed_at'], moment)}: "
        f"{source['failing_because']}",
    ]


def _outbox(outbox: dict[str, Any], moment: datetime) -> list[str]:
    counts = ", ".join(f"{count} {state}" for state, count in outbox["counts"].items())
    since = (
        ("oldest unsent report accepted", outbox["oldest_unsent_at"]),
        ("oldest unconfirmed report sent", outbox["oldest_unconfirmed_at"]),
    )
    return [
        f"write-back: {counts}",
        *(f"  {words} {_age(then, moment)}" for words, then in since if then),
        *_confirming(outbox["confirming_seconds"]),
        *_stopped(outbox["stopped_at"], outbox["stopped_because"]),
        *(f"  ALARM: {alarm}" for alarm in outbox["alarms"]),
    ]


def _confirming(seconds: dict[str, float | None]) -> list[str]:
    if seconds["median"] is None:
        return []
    return [f"  recent confirmations took {seconds['median']:.0f} s (95%: {seconds['p95']:.0f} s)"]


def _stopped(since: datetime | None, reason: str | None) -> list[str]:
    return [f"  SENDING FAILS since {since:%Y-%m-%d %H:%M} UTC: {reason}"] if since else []


def _tier(tier: str, run: dict[str, Any] | None, moment: datetime) -> str:
    if run is None:
        return f"refresh {tier}: never run"
    failed = f"; the last run failed in {run['failed_model']}" if run["failed_model"] else ""
    return f"refresh {tier}: {_last('succeeded', run['succeeded_at'], moment)}{failed}"


def _last(what: str, then: datetime | None, moment: datetime) -> str:
    return f"last {what} {_age(then, moment)}" if then else f"never {what}"


def _age(then: datetime, moment: datetime) -> str:
    seconds = max(int((moment - then).total_seconds()), 0)
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} seconds ago"
