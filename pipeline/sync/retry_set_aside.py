"""Retries documents that were set aside, from their stored content; needs no CHT."""

from collections import Counter
from dataclasses import dataclass

import psycopg

from pipeline.database import now
from pipeline.sync import store
from pipeline.sync.rules import from_set_aside
from pipeline.sync.store import Landing


@dataclass(frozen=True)
class Retried:
    """How many set-aside documents landed, and why the others did not."""

    tried: int
    landed: int
    reasons: Counter[str]


def retry(connection: psycopg.Connection, landing: Landing, source: str) -> Retried:
    """One document at a time: each may be large. Conflict while somebody syncs the source."""
    landed = 0
    with store.locked(connection, landing, source):
        with connection.transaction():
            keys = store.set_aside_keys(connection, landing, source)
        for key in keys:
            with connection.transaction():
                content = store.set_aside_content(connection, landing, source, key)
                document = from_set_aside(content)
                if document is None:
                    continue
                done = store.land(connection, landing, source, [document], now(connection))
                landed += not done.set_aside
        with connection.transaction():
            reasons = store.set_aside_reasons(connection, landing, source)
    return Retried(len(keys), landed, reasons)
