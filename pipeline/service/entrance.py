"""Asks the CHT who somebody is: never so often that it shuts out others, never with all hands."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pipeline.cht.identity import Identity, PasswordChangeRequired
from pipeline.errors import SettingsWrong, Unavailable
from pipeline.service.throttle import Throttle

SignIn = Callable[[str, str, str], Identity]
Recognise = Callable[[str, str], Identity]

OF_A_NAME = 5
OF_AN_ADDRESS = 9
OF_AN_ADDRESS_BY_COOKIE = 4
# A CHT that hangs holds up so many requests at once, and leaves the others to who is signed in.
_AT_ONCE = 8
_SECONDS_TO_WAIT = 1.0


class Entrance:
    """`sign_in` takes name, password and the client's address; `recognise` cookie and address."""

    def __init__(self, sign_in: SignIn, recognise: Recognise, clock: Callable[[], float]) -> None:
        self._sign_in = sign_in
        self._recognise = recognise
        self._throttle = Throttle(clock)
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def by_password(self, name: str, password: str, address: str) -> Identity:
        """Raises TooManyFailures, PasswordChangeRequired, Refused, or that it cannot tell now."""
        limits = {f"name {name.lower()}": OF_A_NAME, f"address {address}": OF_AN_ADDRESS}
        with self._counted(limits):
            return self._sign_in(name, password, address)

    def by_cookie(self, cookie: str, address: str) -> Identity:
        """The same for the CHT's own session; dead ones leave room for those who type."""
        limits = {
            f"cookie {address}": OF_AN_ADDRESS_BY_COOKIE,
            f"address {address}": OF_AN_ADDRESS,
        }
        with self._counted(limits):
            return self._recognise(cookie, address)

    @contextmanager
    def _counted(self, limits: Mapping[str, int]) -> Iterator[None]:
        """Counts what the CHT refuses, and nothing else."""
        if not self._places.acquire(timeout=_SECONDS_TO_WAIT):
            raise Unavailable("The CHT is slow, and others are waiting for it already.")
        try:
            self._throttle.attempt(limits)
            try:
                yield
            except (PasswordChangeRequired, Unavailable, SettingsWrong):
                self._throttle.take_back(limits)
                raise
            self._throttle.take_back(limits)
        finally:
            self._places.release()
