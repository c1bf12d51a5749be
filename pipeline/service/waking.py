"""Tells those who send reports that there is something to send, after it is safe."""

import asyncio
import logging
from collections.abc import Callable

import psycopg

from pipeline import turns
from pipeline.database import Connections, driver

Wake = Callable[[psycopg.Connection], None]

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN = 0.05


class Waking:
    """Once for all answers of a moment, and in no transaction of theirs: PostgreSQL lets those who
    give notice commit one after the other only, each waiting for the disk.

    A notice that is lost costs seconds, since the workers look by themselves.
    """

    def __init__(self, connections: Connections, wake: Wake) -> None:
        self._connections = connections
        self._wake = wake
        self._wanted = asyncio.Event()

    def wake_soon(self) -> None:
        """Something was committed that can be sent."""
        self._wanted.set()

    async def follow(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await turns.run(self._give_notice)
            await asyncio.sleep(_SECONDS_BETWEEN)

    def _give_notice(self) -> None:
        try:
            with self._connections.lent() as connection:
                self._wake(driver(connection))
        except Exception as error:  # whatever it is, the next notice is to be given
            _LOG.warning("The notice of a new report is lost: %s", type(error).__name__)
