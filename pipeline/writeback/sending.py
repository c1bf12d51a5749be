"""One pass through the queue: claim a page, have it delivered, write down what became of it."""

from collections import defaultdict
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from pipeline.cht.door import WebPage
from pipeline.database import now
from pipeline.errors import Unavailable, WorklistError
from pipeline.writeback import store
from pipeline.writeback.rules import Decision, Pace, State
from pipeline.writeback.store import Claimed, Page
from pipeline.writeback.ways import Decided, Way


@dataclass
class Summary:
    """What was done; `put_off` counts reports that will be tried again."""

    sent: int = 0
    refused: int = 0
    withdrawn: int = 0
    put_off: int = 0
    confirmed: int = 0


@dataclass
class Delivery:
    """A page that was sent: what became of its rows, and the error that left some undecided."""

    page: Page = field(default_factory=Page)
    decided: list[Decided] = field(default_factory=list)
    failure: WorklistError | None = None

    @property
    def undecided(self) -> list[Claimed]:
        known = {row.verification_id for row, _ in self.decided}
        return [row for row in self.page.rows if row.verification_id not in known]


@dataclass
class Sending:
    """While the CHT writes one page, the one before it is settled and the one after it claimed.

    A page that fails is put off, and one report is tried in its place: when that fails too, it is
    the CHT and not the page. So hours without a CHT cost a report an attempt now and then, and not
    the whole queue.
    """

    way: Way
    connection: psycopg.Connection
    pace: Pace
    summary: Summary
    _claimed: Page = field(default_factory=Page)
    _under_way: Future[Delivery] | None = None
    _delivered: Delivery = field(default_factory=Delivery)
    _is_stopped: bool = False
    _failure: WorklistError | None = None

    def send(self) -> None:
        """Everything that is due. Raises what stopped it, with every row back in the queue."""
        self._is_stopped = store.is_stopped(self.connection)
        with ThreadPoolExecutor(1, "sender") as sender:
            try:
                self._turn()
                while self._claimed.rows or self._delivered.page.rows:
                    self._advance(sender)
            except KeyboardInterrupt:
                self._wind_up()
                raise
        if self._failure:
            raise self._failure

    def _advance(self, sender: Executor) -> None:
        if self._claimed.rows:
            self._under_way = sender.submit(_deliver, self.way, self._claimed)
        self._turn()
        if self._under_way:
            self._delivered, self._under_way = self._under_way.result(), None
            self._judge()

    def _turn(self) -> None:
        """Settles what was delivered and claims what comes next, in one transaction."""
        with self.connection.transaction():
            self._settle(self._delivered)
            claimed = self._claim()
        self._delivered, self._claimed = Delivery(), claimed

    def _claim(self) -> Page:
        """Nothing ahead where one report is being tried, or where each must be reserved alone."""
        if self._under_way and (self._is_stopped or not self.way.is_harmless_twice):
            return Page()
        limit = 1 if self._is_stopped else self.way.page_size
        return store.claim(self.connection, limit, store.clock(self.connection), self.pace.lease)

    def _judge(self) -> None:
        failure = self._delivered.failure
        if failure is None:
            if self._is_stopped:
                store.go_on(self.connection)
            self._is_stopped, self._failure = False, None
            return
        self._put_back()
        if self._failure or not isinstance(failure, Unavailable):
            raise failure
        self._is_stopped, self._failure = True, failure
        self._turn()

    def _put_back(self) -> None:
        """Settles what was delivered and gives back what was claimed ahead."""
        with self.connection.transaction():
            self._settle(self._delivered)
            self._give_back(self._claimed, [row.verification_id for row in self._claimed.rows])
        self._delivered, self._claimed = Delivery(), Page()

    def _wind_up(self) -> None:
        """Waits for what is under way and writes it down, so that nobody waits for a lease."""
        with suppress(psycopg.Error):
            if self._under_way:
                self._delivered = self._under_way.result()
            self._put_back()

    def _settle(self, delivery: Delivery) -> None:
        """One statement for all rows that share a fate; each number of attempts has its pause."""
        if not delivery.page.rows:
            return
        fates: dict[tuple[Decision, int], list[UUID]] = defaultdict(list)
        for row, decision in (*delivery.decided, *self._undecided(delivery)):
            attempts = row.attempts if decision.state == State.PENDING else 0
            fates[decision, attempts].append(row.verification_id)
        moment, clock = now(self.connection), store.clock(self.connection)
        for (decision, attempts), ids in fates.items():
            until = clock + self.pace.pause(attempts)
            store.settle(self.connection, ids, decision, moment, until)
            self._count(decision.state, len(ids))

    def _undecided(self, delivery: Delivery) -> list[Decided]:
        """What may have reached the CHT is put off; what it did not let in is given back."""
        failure = delivery.failure
        if failure is None:
            return []
        may_have_arrived = isinstance(failure, Unavailable) or (
            isinstance(failure, WebPage) and not self.way.is_harmless_twice
        )
        if may_have_arrived:
            put_off = Decision(State.PENDING, str(failure))
            return [(row, put_off) for row in delivery.undecided]
        ids = [row.verification_id for row in delivery.undecided]
        self._give_back(delivery.page, ids, str(failure))
        return []

    def _give_back(self, page: Page, ids: list[UUID], reason: str | None = None) -> None:
        if ids:
            store.give_back(self.connection, page, ids, reason)

    def _count(self, state: State, rows: int) -> None:
        self.summary.sent += rows if state == State.SENT else 0
        self.summary.refused += rows if state == State.REFUSED else 0
        self.summary.withdrawn += rows if state == State.WITHDRAWN else 0
        self.summary.put_off += rows if state == State.PENDING else 0


def _deliver(way: Way, page: Page) -> Delivery:
    """On a thread of its own; an error takes back nothing of what was decided before it."""
    delivery = Delivery(page)
    try:
        for decided in way.deliver(page.rows):
            delivery.decided.extend(decided)
    except WorklistError as error:
        delivery.failure = error
    return delivery
