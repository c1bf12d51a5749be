"""Runs an ASGI application in uvicorn until SIGINT or SIGTERM."""

import contextlib
import errno
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from pipeline.errors import SettingsWrong

_LOG = logging.getLogger(__name__)
_SECONDS_FOR_REQUESTS = 2
_SECONDS_TO_STOP = 5.0


def listen(host: str, port: int, remedy: str) -> socket.socket:
    """A port of 0 is any free one. SettingsWrong, with the remedy, where it cannot be had.

    The protocol is named because only then does asyncio set TCP_NODELAY.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken" if taken else f"cannot be used ({error.strerror})"
        raise SettingsWrong(f"Port {port} on {host} {reason}: {remedy}") from error
    return listening


def address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{host}:{port}"


def run(
    app: ASGIApp, sockets: Sequence[socket.socket], trusted_proxies: Sequence[str] = ()
) -> None:
    """In this process, which a signal ends with exit code 0."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn repeats the signal once it has stopped
        uvicorn.Server(_config(app, trusted_proxies)).run(sockets=list(sockets))


def run_workers(
    make_app: Callable[[], ASGIApp],
    sockets: Sequence[socket.socket],
    trusted_proxies: Sequence[str],
    count: int,
) -> None:
    """In `count` processes, each of which calls `make_app`; it is pickled. A worker that dies is
    started again; none outlives this process.
    """
    config = _config(
        partial(_in_worker, make_app),
        trusted_proxies,
        factory=True,
        workers=count,
    )
    _Workers(config, list(sockets)).run()


def _config(app: Any, trusted_proxies: Sequence[str], **more: Any) -> uvicorn.Config:
    """Requests are not logged: their URLs hold people's names. Only a trusted proxy (an address or
    a network) is believed about who the client is.
    """
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=_SECONDS_FOR_REQUESTS,
        **more,
    )


class _Workers(Multiprocess):
    """Ends at SIGHUP too, as a terminal that is closed expects."""

    handle_hup = Multiprocess.handle_term

    def keep_subprocess_alive(self) -> None:
        """Sends no pings: waiting for a worker that is starting would delay signals."""
        for number, worker in enumerate(self.processes):
            if not worker.process.is_alive():
                _LOG.warning("A worker process has died; another is started.")
                self.processes[number] = Process(self.config, self.sockets)
                self.processes[number].start()

    def join_all(self) -> None:
        """Kills workers that do not stop in time: one may be waiting for somebody else's answer."""
        until = time.monotonic() + _SECONDS_TO_STOP
        for worker in self.processes:
            worker.process.join(max(until - time.monotonic(), 0))
            worker.process.kill()
        super().join_all()


def _in_worker(make_app: Callable[[], ASGIApp]) -> ASGIApp:
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    return make_app()


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
