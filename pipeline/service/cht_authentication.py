"""Signing in with the CHT: never so often that it shuts out others, never with every thread."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import BoundedSemaphore
from uuid import UUID, uuid4

import sqlalchemy

from pipeline.cht.http import Unauthorized
from pipeline.cht.users import Identity, PasswordChangeRequired
from pipeline.errors import SettingsWrong, Unavailable
from pipeline.worklist import throttle

FAILURES_OF_A_NAME = 5
FAILURES_OF_AN_ADDRESS = 9
FAILURES_OF_AN_ADDRESS_BY_COOKIE = 4
# A CHT that hangs keeps this many threads waiting, and leaves the others to whoever is signed in.
_AT_ONCE = 8
_SECONDS_TO_WAIT = 1.0


def no_cht_sessions(_cookie: str, _address: str) -> Identity:
    raise Unauthorized("Sessions of the CHT are not known here.")


class Authentication:
    """`sign_in` takes name, password and the client's address; `recognise` a cookie of the CHT
    and the address. Failures are counted in the database, by the time that `now` gives.
    """

    def __init__(
        self,
        engine: sqlalchemy.Engine,
        now: Callable[[], datetime],
        sign_in: Callable[[str, str, str], Identity],
        recognise: Callable[[str, str], Identity] = no_cht_sessions,
    ) -> None:
        self._engine = engine
        self._now = now
        self._sign_in = sign_in
        self._recognise = recognise
        self._slots = BoundedSemaphore(_AT_ONCE)

    def by_password(self, name: str, password: str, address: str) -> Identity:
        """Raises TooManyFailures, PasswordChangeRequired, Refused, Unavailable or SettingsWrong."""
        limits = {
            f"name {name.lower()}": FAILURES_OF_A_NAME,
            f"address {address}": FAILURES_OF_AN_ADDRESS,
        }
        with self._slot(), self._counted(limits):
            return self._sign_in(name, password, address)

    def by_cookie(self, cookie: str, address: str) -> Identity:
        """The same for the CHT's own session; ended ones leave attempts for those who type."""
        limits = {
            f"cookie {address}": FAILURES_OF_AN_ADDRESS_BY_COOKIE,
            f"address {address}": FAILURES_OF_AN_ADDRESS,
        }
        with self._slot(), self._counted(limits):
            return self._recognise(cookie, address)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=_SECONDS_TO_WAIT):
            raise Unavailable("The CHT is slow, and others are waiting for it already.")
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def _counted(self, limits: Mapping[str, int]) -> Iterator[None]:
        """Counts what the CHT refuses, and nothing else; holds no connection meanwhile."""
        attempt_id = uuid4()
        with self._engine.begin() as connection:
            throttle.attempt(connection, attempt_id, limits, self._now())
        try:
            yield
        except (PasswordChangeRequired, Unavailable, SettingsWrong):
            self._take_back(attempt_id)
            raise
        self._take_back(attempt_id)

    def _take_back(self, attempt_id: UUID) -> None:
        with self._engine.begin() as connection:
            throttle.take_back(connection, attempt_id)
