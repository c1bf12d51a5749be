"""One worker: sends what is due to the CHT, and learns from the landing what has arrived."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import psycopg
from psycopg import sql

from pipeline.database import now
from pipeline.errors import Refused, Unavailable, WorklistError
from pipeline.writeback import store
from pipeline.writeback.delivery import Way
from pipeline.writeback.rules import Pace
from pipeline.writeback.sending import Sending, Summary

POLL_SECONDS = 10.0


@dataclass
class WriteBack:
    """Any number may work side by side.

    `connection` commits by itself. `documents` is the landing, and `source` names the part of it
    in which the reports come back.
    """

    way: Way
    connection: psycopg.Connection
    documents: sql.Identifier
    source: str
    pace: Pace = field(default_factory=Pace)

    def once(self) -> Summary:
        """Sends everything that is due, then compares the outbox with the landing.

        Raises Unavailable when the CHT does not answer and Refused or SettingsWrong when it will
        not have us write at all; by then every row is back in the queue, the reason is written
        down, and the landing has been asked all the same.
        """
        summary = Summary()
        try:
            Sending(self.way, self.connection, self.pace, summary).send()
        except WorklistError as error:
            with self.connection.transaction():
                store.stop(self.connection, str(error), now(self.connection))
                self._confirm(summary)
            raise
        with self.connection.transaction():
            self._confirm(summary)
        return summary

    def follow(self, stop: Event, went_well: Callable[[Summary], None]) -> None:
        """Goes on for ever: at once when something is accepted, when a pause ends, and every few
        seconds whatever happens.

        Raises Unavailable also where the CHT refuses: to wait is all that is left to do, and a
        permission that was taken away may be given back.
        """
        self.connection.execute(sql.SQL("listen {}").format(sql.Identifier(store.CHANNEL)))
        while not stop.is_set():
            try:
                went_well(self.once())
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
