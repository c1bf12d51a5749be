"""Listens on a port and runs an application there until a signal comes. Knows nothing else."""

import errno
import gc
import socket
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from pipeline import processes
from pipeline.errors import SettingsWrong


def listen(host: str, port: int, remedy: str) -> socket.socket:
    """A port of 0 is any free one. SettingsWrong, with the remedy, where it cannot be had.

    The protocol is named because only then does asyncio send small answers at once.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind, socket.IPPROTO_TCP)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(2048)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken" if taken else f"cannot be used ({error.strerror})"
        raise SettingsWrong(f"Port {port} on {host} {reason}: {remedy}") from error
    return door


def address(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"http://{host}:{port}"


def run(app: ASGIApp, doors: Sequence[socket.socket], trusted_proxies: Sequence[str] = ()) -> None:
    """Until SIGINT or SIGTERM. Requests are not logged: their addresses hold people's names.

    Of a trusted proxy (an address or a network) is believed who the client is, of nobody else.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=2,
    )
    # what is there now stays: looking through it for garbage would hold up everybody for 70 ms
    gc.collect()
    gc.freeze()
    # a signal before uvicorn listens for it, or repeated by uvicorn once it obeyed, ends us
    with processes.until_signalled():
        uvicorn.Server(config).run(sockets=list(doors))
