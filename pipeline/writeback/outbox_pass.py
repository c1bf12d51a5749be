"""One pass through the outbox: claim a page, deliver it, store the result."""

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
from pipeline.writeback.channels import Channel, Decided
from pipeline.writeback.rules import Backoff, Decision, State
from pipeline.writeback.store import Claimed, Page

_PAGES_IN_FLIGHT = 3


@dataclass
class Summary:
    """Counts of one pass; `deferred` reports will be tried again."""

    sent: int = 0
    refused: int = 0
    withdrawn: int = 0
    deferred: int = 0
    confirmed: int = 0


@dataclass
class Delivery:
    """A page that was sent: the decisions, and the error that left some rows undecided."""

    page: Page = field(default_factory=Page)
    decided: list[Decided] = field(default_factory=list)
    failure: WorklistError | None = None

    @property
    def undecided(self) -> list[Claimed]:
        known = {row.verification_id for row, _ in self.decided}
        return [row for row in self.page.rows if row.verification_id not in known]


@dataclass
class Sending:
    """Settles one page and claims the next while the CHT writes others.

    After a page that failed, a single report is tried: when that fails too, the CHT is down and
    not the page bad. So hours without a CHT cost few attempts, and not one of every report.
    """

    channel: Channel
    connection: psycopg.Connection
    backoff: Backoff
    summary: Summary
    _clock: Callable[[], datetime] = field(init=False)
    _claimed: Page = field(default_factory=Page)
    _in_flight: deque[Future[Delivery]] = field(default_factory=deque)
    _delivered: Delivery = field(default_factory=Delivery)
    _is_stopped: bool = False
    _failure: WorklistError | None = None

    def send(self) -> None:
        """Sends all due reports. Raises what stopped it, with every row back in the queue."""
        self._clock = _running_clock(store.clock(self.connection))
        self._is_stopped = store.is_stopped(self.connection)
        with ThreadPoolExecutor(_PAGES_IN_FLIGHT, "sender") as senders:
            try:
                while self._step(senders):
                    pass
            finally:
                self._finish()
        if self._failure:
            raise self._failure

    def _step(self, senders: Executor) -> bool:
        """Settles the delivered page and claims the next in one transaction, in one round trip;
        waits where enough pages are in flight. False when nothing is left to do.
        """
        with self.connection.pipeline(), self.connection.transaction():
            self._settle(self._delivered)
            self._claimed = self._claim()
        self._delivered = Delivery()
        if self._claimed.rows:
            self._in_flight.append(senders.submit(_deliver, self.channel, self._claimed))
            self._claimed = Page()
            if len(self._in_flight) < self._concurrency:
                return True
        if not self._in_flight:
            return False
        self._delivered = self._in_flight[0].result()
        self._in_flight.popleft()
        self._handle_failure()
        return True

    @property
    def _concurrency(self) -> int:
        """One page while a single report is tried, and where sending twice is not harmless."""
        return 1 if self._is_stopped or not self.channel.is_idempotent else _PAGES_IN_FLIGHT

    def _claim(self) -> Page:
        if len(self._in_flight) >= self._concurrency:
            return Page()
        limit = 1 if self._is_stopped else self.channel.page_size
        return store.claim(self.connection, limit, self._clock(), self.backoff.lease)

    def _handle_failure(self) -> None:
        failure = self._delivered.failure
        if failure is None:
            if self._is_stopped:
                store.resume(self.connection)
            self._is_stopped, self._failure = False, None
        elif self._failure or not isinstance(failure, Unavailable):
            raise failure
        else:
            self._is_stopped, self._failure = True, failure

    def _finish(self) -> None:
        """Waits for the pages in flight and settles them; releases what was claimed and not sent,
        so that nobody waits for its lease.
        """
        with suppress(psycopg.OperationalError), self.connection.transaction():
            self._settle(self._delivered)
            for delivery in self._in_flight:
                self._settle(delivery.result())
            if self._claimed.rows:
                ids = _ids(self._claimed.rows)
                store.release(self.connection, self._claimed, ids, "The worker was stopped.")

    def _settle(self, delivery: Delivery) -> None:
        """One statement for each decision and number of attempts, which sets the pause."""
        if not delivery.page.rows:
            return
        grouped: dict[tuple[Decision, int], list[Claimed]] = defaultdict(list)
        for row, decision in (*delivery.decided, *self._undecided(delivery)):
            attempts = row.attempts if decision.state == State.PENDING else 0
            grouped[decision, attempts].append(row)
        for (decision, attempts), rows in grouped.items():
            until = self._clock() + self.backoff.pause(attempts)
            store.settle(self.connection, _ids(rows), decision, until)
            self._count(decision.state, len(rows))

    def _undecided(self, delivery: Delivery) -> list[Decided]:
        """Defers what may have reached the CHT; releases what it refused to accept at all."""
        failure = delivery.failure
        if failure is None:
            return []
        may_have_arrived = isinstance(failure, Unavailable) or (
            isinstance(failure, WebPage) and not self.channel.is_idempotent
        )
        if may_have_arrived:
            deferred = Decision(State.PENDING, str(failure))
            return [(row, deferred) for row in delivery.undecided]
        store.release(self.connection, delivery.page, _ids(delivery.undecided), str(failure))
        return []

    def _count(self, state: State, rows: int) -> None:
        self.summary.sent += rows if state == State.SENT else 0
        self.summary.refused += rows if state == State.REFUSED else 0
        self.summary.withdrawn += rows if state == State.WITHDRAWN else 0
        self.summary.deferred += rows if state == State.PENDING else 0


def _ids(rows: Sequence[Claimed]) -> list[UUID]:
    return [row.verification_id for row in rows]


def _running_clock(moment: datetime) -> Callable[[], datetime]:
    """PostgreSQL's clock from `moment` on, without asking it again."""
    began = time.monotonic()
    return lambda: moment + timedelta(seconds=time.monotonic() - began)


def _deliver(channel: Channel, page: Page) -> Delivery:
    """Runs on a thread of its own; an error keeps the decisions made before it."""
    delivery = Delivery(page)
    try:
        for decided in channel.deliver(page.rows):
            delivery.decided.extend(decided)
    except WorklistError as error:
        delivery.failure = error
    return delivery
