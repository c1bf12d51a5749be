"""The simulated CHT in a process of its own, for tests and benchmarks."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from testbed.simulated_cht.accounts import ADMINISTRATOR_PASSWORD
from testbed.simulated_cht.server import serve

_SPAWNED = multiprocessing.get_context("spawn").Process
_START_SECONDS = 60


@dataclass(frozen=True)
class Running:
    """`couchdb_url` is the same as `url` unless CouchDB has a port of its own."""

    url: str
    couchdb_url: str
    process: BaseProcess


@contextmanager
def running(
    feed: Path,
    password: str = ADMINISTRATOR_PASSWORD,
    now: datetime | None = None,
    *,
    with_couchdb: bool = False,
    process_type: Callable[..., BaseProcess] = _SPAWNED,
) -> Iterator[Running]:
    """Serves `feed` on free ports; `password` is that of all its users.

    `process_type` is a multiprocessing context's `Process`, where the start method matters.
    """
    announcements, announced = multiprocessing.Pipe(duplex=False)
    process = process_type(
        target=serve,
        args=(feed, "127.0.0.1", 0, password, now or datetime.now(UTC), announced.send),
        kwargs={"couchdb_port": 0 if with_couchdb else None},
        daemon=True,
    )
    process.start()
    try:
        url = _next_address(announcements)
        couchdb_url = _next_address(announcements) if with_couchdb else url
        yield Running(url, couchdb_url, process)
    finally:
        process.terminate()
        process.join()


def _next_address(announcements: Connection) -> str:
    if not announcements.poll(_START_SECONDS):
        raise RuntimeError("The simulated CHT did not start.")
    return str(announcements.recv()).split()[-1]
