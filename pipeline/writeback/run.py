"""Sends what is due to the CHT, and learns from the landing what has arrived."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from pipeline.cht.client import ChtClient, Standing
from pipeline.cht.door import RequestRefused
from pipeline.database import now
from pipeline.errors import Refused, SettingsWrong, Unavailable
from pipeline.writeback import store
from pipeline.writeback.rules import (
    LEASE,
    WITHDRAWN,
    Decision,
    State,
    after_reading,
    after_writing,
    must_look_first,
    pause,
)
from pipeline.writeback.store import Claimed


@dataclass
class Summary:
    """What one round did; `put_off` counts reports that will be tried again."""

    sent: int = 0
    refused: int = 0
    withdrawn: int = 0
    put_off: int = 0
    confirmed: int = 0


Decided = tuple[Claimed, Decision]


def write_back_once(
    client: ChtClient,
    connection: psycopg.Connection,
    database: str,
    documents: sql.Identifier,
    source: str,
    limit: int = 500,
) -> Summary:
    """Sends everything that is due, then compares the outbox with the landed `documents`.

    `connection` must be outside a transaction. Raises Unavailable when the CHT does not answer
    and Refused or SettingsWrong when it will not have us write at all; by then every row is back
    in the queue, and the landing has been asked all the same.
    """
    round_ = _Round(client, connection, database)
    try:
        while round_.send_batch(limit):
            pass
    except (Unavailable, Refused, SettingsWrong):
        round_.confirm(documents, source)
        raise
    round_.confirm(documents, source)
    return round_.summary


@dataclass
class _Round:
    client: ChtClient
    connection: psycopg.Connection
    database: str
    summary: Summary = field(default_factory=Summary)

    def send_batch(self, limit: int) -> bool:
        """Claims, sends and settles; says whether there was anything to do.

        Each answer is written down as it comes, so that a later failure takes nothing back.
        """
        with self.connection.transaction():
            claimed = store.claim(self.connection, limit, store.clock(self.connection), LEASE)
        open_rows = {row.verification_id: row for row in claimed}
        try:
            for decided in self._decisions(claimed):
                self._settle(decided)
                for row, _ in decided:
                    del open_rows[row.verification_id]
        except Unavailable as error:
            self._put_off([(row, str(error)) for row in open_rows.values()])
            raise
        except (Refused, SettingsWrong) as error:
            with self.connection.transaction():
                store.give_back(self.connection, list(open_rows), str(error))
            raise
        return bool(claimed)

    def _decisions(self, claimed: Sequence[Claimed]) -> Iterator[list[Decided]]:
        again = [row.report_id for row in claimed if must_look_first(row.attempts)]
        found = self.client.revisions(self.database, again) if again else {}
        to_write = []
        for row in claimed:
            stored = found.get(row.report_id)
            if stored is None or stored.standing == Standing.MISSING:
                to_write.append(row)
            elif stored.standing == Standing.DELETED:
                yield [(row, WITHDRAWN)]
            else:
                yield [(row, self._read(row))]
        yield from self._write(to_write)

    def _write(self, rows: Sequence[Claimed]) -> Iterator[list[Decided]]:
        """One request for all; where the CHT finds it faulty, halves, down to the bad report."""
        if not rows:
            return
        try:
            written = self.client.bulk_docs(self.database, [row.report for row in rows])
        except RequestRefused as error:
            if len(rows) == 1:
                yield [(rows[0], Decision(State.REFUSED, error.words or str(error)))]
                return
            middle = len(rows) // 2
            yield from self._write(rows[:middle])
            yield from self._write(rows[middle:])
            return
        judged = [(row, after_writing(answer)) for row, answer in zip(rows, written, strict=True)]
        yield [(row, decision) for row, decision in judged if decision is not None]
        for row, decision in judged:
            if decision is None:
                yield [(row, self._read(row))]

    def _read(self, row: Claimed) -> Decision:
        return after_reading(row.report, self.client.document(self.database, row.report_id))

    def _settle(self, decided: Sequence[Decided]) -> None:
        later = [(row, one.reason or "") for row, one in decided if one.state == State.PENDING]
        with self.connection.transaction():
            moment = now(self.connection)
            for decision in {one for _, one in decided if one.state != State.PENDING}:
                ids = [row.verification_id for row, one in decided if one == decision]
                store.settle(self.connection, ids, decision.state, decision.reason, moment)
                self._count(decision.state, len(ids))
        if later:
            self._put_off(later)

    def _count(self, state: State, rows: int) -> None:
        self.summary.sent += rows if state == State.SENT else 0
        self.summary.refused += rows if state == State.REFUSED else 0
        self.summary.withdrawn += rows if state == State.WITHDRAWN else 0

    def _put_off(self, rows: Sequence[tuple[Claimed, str]]) -> None:
        """By row, since each has its own pause."""
        with self.connection.transaction():
            clock = store.clock(self.connection)
            for row, reason in rows:
                until = clock + pause(row.attempts)
                store.put_off(self.connection, row.verification_id, reason, until)
        self.summary.put_off += len(rows)

    def confirm(self, documents: sql.Identifier, source: str) -> None:
        with self.connection.transaction():
            settled = store.confirm(self.connection, documents, source, now(self.connection))
        self.summary.confirmed += settled.confirmed
        self.summary.withdrawn += settled.withdrawn
