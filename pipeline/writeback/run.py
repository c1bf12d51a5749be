"""A worker: sends due reports to the CHT, and confirms those that have landed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import psycopg
from psycopg import sql

from pipeline.database import now
from pipeline.errors import Refused, Unavailable, WorklistError
from pipeline.writeback import store
from pipeline.writeback.channels import Channel
from pipeline.writeback.outbox_pass import Sending, Summary
from pipeline.writeback.rules import Backoff

POLL_SECONDS = 10.0


@dataclass
class WriteBack:
    """Any number of workers may run at once.

    `connection` is in autocommit mode. `documents` is the landing, `source` the part of it in
    which the reports come back.
    """

    channel: Channel
    connection: psycopg.Connection
    documents: sql.Identifier
    source: str
    backoff: Backoff = field(default_factory=Backoff)

    def once(self) -> Summary:
        """Sends everything that is due, then compares the outbox with the landing.

        Raises Unavailable when the CHT does not answer, Refused or SettingsWrong when it lets us
        write nothing; by then every row is back in the queue, the reason is stored, and the
        outbox has been compared all the same.
        """
        summary = Summary()
        try:
            Sending(self.channel, self.connection, self.backoff, summary).send()
        except WorklistError as error:
            with self.connection.transaction():
                store.stop(self.connection, str(error), now(self.connection))
                self._confirm(summary)
            raise
        with self.connection.transaction():
            self._confirm(summary)
        return summary

    def follow(self, stop: Event, succeeded: Callable[[Summary], None]) -> None:
        """Repeats `once` until `stop` is set: when an answer is accepted, when a pause ends, and
        every few seconds.

        Raises Unavailable also where the CHT refuses: a permission may be granted again.
        """
        self.connection.execute(sql.SQL("listen {}").format(sql.Identifier(store.CHANNEL)))
        while not stop.is_set():
            try:
                succeeded(self.once())
            except Refused as error:
                raise Unavailable(str(error)) from error
            self._wait()

    def _wait(self) -> None:
        pause = store.seconds_to_next(self.connection)
        seconds = POLL_SECONDS if pause is None else min(max(pause, 0.0), POLL_SECONDS)
        for _ in self.connection.notifies(timeout=seconds, stop_after=1):
            pass

    def _confirm(self, summary: Summary) -> None:
        moment = now(self.connection)
        settled = store.confirm(self.connection, self.documents, self.source, moment)
        summary.confirmed += settled.confirmed
        summary.withdrawn += settled.withdrawn
