"""The two ways to write reports to the CHT, chosen by WORKLIST_WRITE_WITH.

`BulkDocs` writes many reports at once under our own ids, so that writing twice is harmless; it
needs the permission `can_edit`. `ReportApi` uses `POST /api/v1/report`, which needs only
`can_create_records` but chooses the id itself: reports are claimed one by one, and after a lost
response the report is searched for by its `verification_id`. A report that the CHT creates during
that search exists twice; the marts count it once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import msgspec

from pipeline.cht.client import ChtClient, DocumentState, Stored
from pipeline.cht.http import RequestRefused
from pipeline.writeback.rules import (
    SENT,
    Decision,
    State,
    after_reading,
    after_searching,
    after_writing,
    for_the_api,
    must_look_first,
)
from pipeline.writeback.store import Claimed

Decided = tuple[Claimed, Decision]


class Channel(Protocol):
    """Delivers pages of reports to the CHT.

    `page_size` is how many are claimed at once; `is_idempotent` says whether sending a report
    twice stores it once.
    """

    page_size: int
    is_idempotent: ClassVar[bool]

    def deliver(self, rows: Sequence[Claimed]) -> Iterator[list[Decided]]:
        """Yields decisions as they become known; an error leaves the other rows undecided."""
        ...


@dataclass
class BulkDocs:
    client: ChtClient
    database: str
    page_size: int = 500
    is_idempotent: ClassVar[bool] = True

    def deliver(self, rows: Sequence[Claimed]) -> Iterator[list[Decided]]:
        found = self._stored([row for row in rows if must_look_first(row.attempts)])
        known = [
            (row, after_reading(row.report, found[row.report_id]))
            for row in rows
            if row.report_id in found and found[row.report_id].state != DocumentState.MISSING
        ]
        yield known
        decided = {row.verification_id for row, _ in known}
        yield from self._write([row for row in rows if row.verification_id not in decided])

    def _write(self, rows: Sequence[Claimed]) -> Iterator[list[Decided]]:
        """One request for all; halves a page that the CHT rejects, down to the bad report."""
        if not rows:
            return
        try:
            bodies = [msgspec.Raw(row.body) for row in rows]
            written = self.client.bulk_docs(self.database, bodies)
        except RequestRefused as error:
            if len(rows) == 1:
                yield [(rows[0], Decision(State.REFUSED, error.reason or str(error)))]
                return
            middle = len(rows) // 2
            yield from self._write(rows[:middle])
            yield from self._write(rows[middle:])
            return
        decisions = [
            (row, after_writing(answer)) for row, answer in zip(rows, written, strict=True)
        ]
        yield [(row, decision) for row, decision in decisions if decision is not None]
        taken = [row for row, decision in decisions if decision is None]
        found = self._stored(taken)
        yield [(row, after_reading(row.report, found[row.report_id])) for row in taken]

    def _stored(self, rows: Sequence[Claimed]) -> Mapping[str, Stored]:
        return self.client.stored(self.database, [row.report_id for row in rows]) if rows else {}


@dataclass
class ReportApi:
    client: ChtClient
    database: str
    page_size: int = 1
    is_idempotent: ClassVar[bool] = False

    def deliver(self, rows: Sequence[Claimed]) -> Iterator[list[Decided]]:
        for row in rows:
            yield [(row, self._search(row) or self._create(row))]

    def _search(self, row: Claimed) -> Decision | None:
        """None where it was never sent, or where the CHT has no copy."""
        if not must_look_first(row.attempts):
            return None
        ids = self.client.report_ids(f"verification_id:{row.verification_id}")
        found = self.client.stored(self.database, ids) if ids else {}
        return after_searching(row.report, found.items()) if found else None

    def _create(self, row: Claimed) -> Decision:
        try:
            made = self.client.create_report(for_the_api(row.report, row.replaces))
        except RequestRefused as error:
            return Decision(State.REFUSED, error.reason or str(error))
        return Decision(SENT.state, report_id=made)
