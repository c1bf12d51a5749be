"""Runs the service in worker processes, and its background jobs on threads of their parent."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI

from pipeline import asgi_server

Job = Callable[[threading.Event], None]

_LOG = logging.getLogger(__name__)
_MOST_WORKERS = 4
SECONDS_UNTIL_RESTART = 10.0


def serve(
    make_app: Callable[[], FastAPI],
    jobs: Mapping[str, Job],
    *,
    host: str,
    port: int,
    trusted_proxies: Sequence[str],
    announce: Callable[[str], None],
) -> None:
    """Until SIGINT or SIGTERM. A port of 0 is any free one; the address announced says which.

    Each worker calls `make_app`. A job runs until the event it is given is set; one that ends
    before is started again. Behind a trusted proxy the client's address and https are taken from
    its `X-Forwarded-` headers. SettingsWrong where the port is taken.
    """
    remedy = "set WORKLIST_PORT or WORKLIST_HOST to another."
    stop = threading.Event()
    with asgi_server.listen(host, port, remedy) as listening:
        with contextlib.suppress(KeyboardInterrupt):  # a signal before the workers are started
            announce(f"The worklist is at {asgi_server.address(listening)}")
            for name, job in jobs.items():
                threading.Thread(target=keep_running, args=(name, job, stop), daemon=True).start()
            asgi_server.run_workers(make_app, [listening], trusted_proxies, _worker_count())
        stop.set()


def keep_running(name: str, job: Job, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            job(stop)
        except Exception as error:  # whatever it is, the job must go on
            if not stop.is_set():
                kind = type(error).__name__
                _LOG.warning("The job %r failed with %s and is started again.", name, kind)
        stop.wait(SECONDS_UNTIL_RESTART)


def _worker_count() -> int:
    """Python computes on one core in each process; beyond four PostgreSQL has no core left."""
    return min(os.cpu_count() or 1, _MOST_WORKERS)
