"""Asks the CHT anew what those who are signed in may do, beside the requests.

Several processes may do this at once: each session is claimed by one of them. What the CHT does
not answer stays as it is, until the session's rights have been held as long as they may be.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime

import sqlalchemy

from pipeline.cht.http import Unauthorized, WebPage
from pipeline.cht.identity import Identity
from pipeline.database import clock
from pipeline.errors import Refused, SettingsWrong, Unavailable, WorklistError
from pipeline.worklist import rules, sessions
from pipeline.worklist.sessions import Due, Session

AskRights = Callable[[Identity], Identity | None]

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_ROUNDS = 10.0
_AT_ONCE = 20
_FOR_ALL = (Unavailable, SettingsWrong, Unauthorized, WebPage)


class Rights:
    """`ask` takes what is known of a user, and gives what the CHT says now; None of who is gone."""

    def __init__(
        self,
        engine: sqlalchemy.Engine,
        ask: AskRights,
        moment: Callable[[], datetime] | None = None,
    ) -> None:
        self._engine = engine
        self._ask = ask
        self._moment = moment or clock(engine)
        self._is_answered = True

    def follow(self) -> None:
        """At once, since what was not asked while nobody served may be old; then for ever."""
        while True:
            try:
                self.once()
            except Exception as error:  # whatever it is, the rights must not stay as they are
                _LOG.warning("Rights cannot be asked for: %s", type(error).__name__)
            time.sleep(_SECONDS_BETWEEN_ROUNDS)

    def once(self) -> None:
        """Asks for every session that is due; ends when the CHT answers for nobody."""
        while due := self._claim():
            for one in due:
                try:
                    self._renew(one)
                except _FOR_ALL as error:
                    self._tell(error)
                    return
                except Refused as error:
                    _LOG.warning("The CHT does not say what one user may do: %s", error)

    def _claim(self) -> list[Due]:
        with self._engine.begin() as connection:
            return sessions.claim(connection, self._moment(), _AT_ONCE)

    def _renew(self, due: Due) -> None:
        known = due.known
        answer = self._ask(
            Identity(
                known.user_name,
                known.roles,
                known.facility_uuids,
                known.contact_uuid,
                rules.is_online(known.roles),
            )
        )
        with self._engine.begin() as connection:
            if answer is None:
                sessions.end_all_of(connection, known.user_name, due.claimed_at)
            else:
                sessions.renew(connection, due, session_of(answer))
        if not self._is_answered:
            self._is_answered = True
            _LOG.warning("The CHT says again who may do what.")

    def _tell(self, error: WorklistError) -> None:
        """Once, not every ten seconds."""
        if self._is_answered:
            self._is_answered = False
            _LOG.warning("The CHT does not say who may do what, its last word holds: %s", error)


def session_of(user: Identity) -> Session:
    return Session(user.user_name, user.roles, user.facility_uuids, user.contact_uuid)
