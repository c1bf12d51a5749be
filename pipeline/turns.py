"""Code that is written as if it were alone, taking turns on one event loop.

While one waits for PostgreSQL or for somebody else's answer the others go on, without threads:
those would spend as much on handing the interpreter to each other as on the requests
(docs/decisions/service-speed.md). SQLAlchemy brings the means (greenlets); psycopg waits where
`Connection` tells it to.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from anyio import to_thread
from psycopg.abc import PQGen
from psycopg.waiting import READY_R, READY_W, WAIT_R, WAIT_W, Wait
from sqlalchemy.util.concurrency import await_, greenlet_spawn, in_greenlet

from pipeline.errors import Unavailable

Result = TypeVar("Result")


async def run(function: Callable[[], Result]) -> Result:
    """What `function` gives; it takes turns with whatever else is on the loop."""
    return await greenlet_spawn(function)


def aside(function: Callable[[], Result]) -> Result:
    """What `function` gives, which holds up its thread: one of its own where turns are taken."""
    return await_(to_thread.run_sync(function)) if in_greenlet() else function()


class Places:
    """So many may do something at once. From within `run` only: who comes when all are taken waits,
    and the others go on.
    """

    def __init__(self, count: int, seconds: float, when_none_is_free: str) -> None:
        self._free = asyncio.Semaphore(count)
        self._seconds = seconds
        self._when_none_is_free = when_none_is_free

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Raises Unavailable, with that sentence, when none is free for so many seconds."""
        await_(self._take() if self._free.locked() else self._free.acquire())
        try:
            yield
        finally:
            self._free.release()

    async def _take(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable(self._when_none_is_free) from None


class Connection(psycopg.Connection[Any]):
    """Waits for PostgreSQL as the others do who take turns, and as usual elsewhere."""

    def wait(
        self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None
    ) -> Result:
        if timeout is not None or not in_greenlet():
            return super().wait(gen, interval, timeout)
        try:
            wanted = next(gen)
        except StopIteration as end:  # there was nothing to wait for
            return end.value  # type: ignore[no-any-return]
        try:
            return await_(_driven(gen, wanted, self.pgconn.socket))
        except asyncio.CancelledError:
            self.close()  # in the midst of a statement; PostgreSQL gives it up
            raise


async def _driven(steps: PQGen[Result], wanted: Wait, socket: int) -> Result:
    """As psycopg's own `wait_async`, which takes 0.04 ms more for each statement."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            ready: asyncio.Future[int] = loop.create_future()
            if wanted & WAIT_R:
                loop.add_reader(socket, _say, ready, READY_R)
            if wanted & WAIT_W:
                loop.add_writer(socket, _say, ready, READY_W)
            try:
                what = await ready
            finally:
                if wanted & WAIT_R:
                    loop.remove_reader(socket)
                if wanted & WAIT_W:
                    loop.remove_writer(socket)
            wanted = steps.send(what)
    except StopIteration as end:
        result: Result = end.value
        return result


def _say(ready: asyncio.Future[int], what: int) -> None:
    if not ready.done():
        ready.set_result(what)
