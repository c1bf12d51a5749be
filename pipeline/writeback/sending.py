"""One pass through the queue: claim a page, have it delivered, write down what became of it."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from pipeline.cht.http import WebPage
from pipeline.errors import Unavailable, WorklistError
from pipeline.writeback import store
from pipeline.writeback.delivery import Decided, Way
from pipeline.writeback.rules import Decision, Pace, State
from pipeline.writeback.store import Claimed, Page

_UNDER_WAY = 3


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
    """While the CHT writes some pages, the one before them is settled and the next one claimed.

    A page that fails is put off, and one report is tried in its place: when that fails too, it is
    the CHT and not the page. So hours without a CHT cost a report an attempt now and then, and not
    the whole queue.
    """

    way: Way
    connection: psycopg.Connection
    pace: Pace
    summary: Summary
    _clock: Callable[[], datetime] = field(init=False)
    _claimed: Page = field(default_factory=Page)
    _under_way: deque[Future[Delivery]] = field(default_factory=deque)
    _delivered: Delivery = field(default_factory=Delivery)
    _is_stopped: bool = False
    _failure: WorklistError | None = None

    def send(self) -> None:
        """Everything that is due. Raises what stopped it, with every row back in the queue."""
        self._clock = _ticking(store.clock(self.connection))
        self._is_stopped = store.is_stopped(self.connection)
        with ThreadPoolExecutor(_UNDER_WAY, "sender") as senders:
            try:
                while self._turn(senders):
                    pass
            finally:
                self._wind_up()
        if self._failure:
            raise self._failure

    def _turn(self, senders: Executor) -> bool:
        """Settles what was delivered and claims what comes next, in one transaction that is sent to
        PostgreSQL as a whole; waits where enough is under way. False when nothing is left to do.
        """
        with self.connection.pipeline(), self.connection.transaction():
            self._settle(self._delivered)
            self._claimed = self._claim()
        self._delivered = Delivery()
        if self._claimed.rows:
            self._under_way.append(senders.submit(_deliver, self.way, self._claimed))
            self._claimed = Page()
            if len(self._under_way) < self._width:
                return True
        if not self._under_way:
            return False
        self._delivered = self._under_way[0].result()
        self._under_way.popleft()
        self._judge()
        return True

    @property
    def _width(self) -> int:
        """One where a report is being tried, or where each must be reserved alone."""
        return 1 if self._is_stopped or not self.way.is_harmless_twice else _UNDER_WAY

    def _claim(self) -> Page:
        if len(self._under_way) >= self._width:
            return Page()
        limit = 1 if self._is_stopped else self.way.page_size
        return store.claim(self.connection, limit, self._clock(), self.pace.lease)

    def _judge(self) -> None:
        failure = self._delivered.failure
        if failure is None:
            if self._is_stopped:
                store.go_on(self.connection)
            self._is_stopped, self._failure = False, None
        elif self._failure or not isinstance(failure, Unavailable):
            raise failure
        else:
            self._is_stopped, self._failure = True, failure

    def _wind_up(self) -> None:
        """Waits for what is under way and writes it down, and gives back what was claimed and not
        sent, so that nobody waits for a lease.
        """
        with suppress(psycopg.OperationalError), self.connection.transaction():
            self._settle(self._delivered)
            for under_way in self._under_way:
                self._settle(under_way.result())
            if self._claimed.rows:
                ids = _ids(self._claimed.rows)
                store.give_back(self.connection, self._claimed, ids, "The worker was stopped.")

    def _settle(self, delivery: Delivery) -> None:
        """One statement for all rows that share a fate; each number of attempts has its pause."""
        if not delivery.page.rows:
            return
        fates: dict[tuple[Decision, int], list[Claimed]] = defaultdict(list)
        for row, decision in (*delivery.decided, *self._undecided(delivery)):
            attempts = row.attempts if decision.state == State.PENDING else 0
            fates[decision, attempts].append(row)
        for (decision, attempts), rows in fates.items():
            until = self._clock() + self.pace.pause(attempts)
            store.settle(self.connection, _ids(rows), decision, until)
            self._count(decision.state, len(rows))

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
        store.give_back(self.connection, delivery.page, _ids(delivery.undecided), str(failure))
        return []

    def _count(self, state: State, rows: int) -> None:
        self.summary.sent += rows if state == State.SENT else 0
        self.summary.refused += rows if state == State.REFUSED else 0
        self.summary.withdrawn += rows if state == State.WITHDRAWN else 0
        self.summary.put_off += rows if state == State.PENDING else 0


def _ids(rows: Sequence[Claimed]) -> list[UUID]:
    return [row.verification_id for row in rows]


def _ticking(moment: datetime) -> Callable[[], datetime]:
    """PostgreSQL's clock, going on from `moment` without being asked again."""
    began = time.monotonic()
    return lambda: moment + timedelta(seconds=time.monotonic() - began)


def _deliver(way: Way, page: Page) -> Delivery:
    """On a thread of its own; an error takes back nothing of what was decided before it."""
    delivery = Delivery(page)
    try:
        for decided in way.deliver(page.rows):
            delivery.decided.extend(decided)
    except WorklistError as error:
        delivery.failure = error
    return delivery
