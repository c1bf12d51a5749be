"""Asks the CHT again, in the background, what signed-in users may do.

Several processes may do this at once: each session is claimed by one of them. Where the CHT does
not answer, rights stay as they are until they have been held for as long as they may be.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

import sqlalchemy

from pipeline.cht.http import Unauthorized, WebPage
from pipeline.cht.users import Identity
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.worklist import sessions
from pipeline.worklist.sessions import Due, Session

AskRights = Callable[[Identity], Identity | None]

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_ROUNDS = 10.0
_AT_ONCE = 20
_FOR_ALL = (Unavailable, SettingsWrong, Unauthorized, WebPage)


class RightsRefresh:
    """`ask` takes what is known of a user and returns what the CHT says now; None: no such user."""

    def __init__(
        self,
        engine: sqlalchemy.Engine,
        ask: AskRights,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._ask = ask
        self._now = now
        self._is_answered = True

    def follow(self, stop: threading.Event) -> None:
        """At once, since rights may have changed while the service was down, and then regularly."""
        while not stop.is_set():
            self.once()
            stop.wait(_SECONDS_BETWEEN_ROUNDS)

    def once(self) -> None:
        """Asks for every session that is due; stops at an error that concerns all users."""
        while due := self._claim():
            for one in due:
                try:
                    self._renew(one)
                except _FOR_ALL as error:
                    self._warn_once(error)
                    return
                except Refused as error:
                    _LOG.warning("The CHT refuses to report a user's rights: %s", error)

    def _claim(self) -> list[Due]:
        with self._engine.begin() as connection:
            return sessions.claim(connection, self._now(), _AT_ONCE)

    def _renew(self, due: Due) -> None:
        known = due.known
        answer = self._ask(
            Identity(known.user_name, known.roles, known.facility_uuids, known.contact_uuid)
        )
        with self._engine.begin() as connection:
            if answer is None:
                sessions.end_all_of(connection, known.user_name, due.claimed_at)
            else:
                sessions.renew(connection, due, session_of(answer))
        if not self._is_answered:
            self._is_answered = True
            _LOG.warning("The CHT reports users' rights again.")

    def _warn_once(self, error: WorklistError) -> None:
        if self._is_answered:
            self._is_answered = False
            _LOG.warning(
                "The CHT does not report users' rights; the last known ones apply: %s", error
            )


def session_of(user: Identity) -> Session:
    return Session(user.user_name, user.roles, user.facility_uuids, user.contact_uuid)
