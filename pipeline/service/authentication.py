"""Asks the CHT who somebody is: never so often that it shuts out others, never with all hands."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

from pipeline import turns
from pipeline.cht.identity import Identity, PasswordChangeRequired
from pipeline.database import Connections
from pipeline.errors import SettingsWrong, Unavailable
from pipeline.worklist import throttle

SignIn = Callable[[str, str, str], Identity]
Recognise = Callable[[str, str], Identity]

OF_A_NAME = 5
OF_AN_ADDRESS = 9
OF_AN_ADDRESS_BY_COOKIE = 4
# A CHT that hangs holds up so many requests at once, and leaves the others to who is signed in.
_AT_ONCE = 8
_SECONDS_TO_WAIT = 1.0


class Entrance:
    """`sign_in` takes name, password and the client's address; `recognise` cookie and address.

    The CHT is asked aside, while others take their turns. Failures are counted in the database, by
    the time that `moment` gives.
    """

    def __init__(
        self,
        connections: Connections,
        sign_in: SignIn,
        recognise: Recognise,
        moment: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._sign_in = sign_in
        self._recognise = recognise
        self._moment = moment
        self._places = turns.Places(
            _AT_ONCE, _SECONDS_TO_WAIT, "The CHT is slow, and others are waiting for it already."
        )

    def by_password(self, name: str, password: str, address: str) -> Identity:
        """Raises TooManyFailures, PasswordChangeRequired, Refused, or that it cannot tell now."""
        limits = {f"name {name.lower()}": OF_A_NAME, f"address {address}": OF_AN_ADDRESS}
        with self._counted(limits):
            return turns.aside(partial(self._sign_in, name, password, address))

    def by_cookie(self, cookie: str, address: str) -> Identity:
        """The same for the CHT's own session; dead ones leave room for those who type."""
        limits = {
            f"cookie {address}": OF_AN_ADDRESS_BY_COOKIE,
            f"address {address}": OF_AN_ADDRESS,
        }
        with self._counted(limits):
            return turns.aside(partial(self._recognise, cookie, address))

    @contextmanager
    def _counted(self, limits: Mapping[str, int]) -> Iterator[None]:
        """Counts what the CHT refuses, and nothing else."""
        with self._places.taken():
            attempt_id = uuid4()
            with self._connections.begun() as connection:
                throttle.attempt(connection, attempt_id, limits, self._moment())
            try:
                yield
            except (PasswordChangeRequired, Unavailable, SettingsWrong):
                self._take_back(attempt_id)
                raise
            self._take_back(attempt_id)

    def _take_back(self, attempt_id: UUID) -> None:
        with self._connections.lent() as connection:
            throttle.take_back(connection, attempt_id)
