"""Serving on a port: whom it believes, and how its workers start and end."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline import asgi_server
from pipeline.errors import SettingsWrong
from tests.waiting import LONG, wait_until

WORKERS = 2


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    client = Request(scope).client
    answer = PlainTextResponse(f"{scope['scheme']} {client.host if client else ''}")
    await answer(scope, receive, send)


async def pid(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/hang":
        time.sleep(2 * LONG)
    await PlainTextResponse(str(os.getpid()))(scope, receive, send)


def make_app() -> ASGIApp:
    return pid


def serve(said: Connection, proxies: Sequence[str]) -> None:
    with asgi_server.listen("127.0.0.1", 0, "") as listening:
        said.send(asgi_server.address(listening))
        asgi_server.run(who, [listening], proxies)


def serve_with_workers(said: Connection) -> None:
    sys.stdin = None  # multiprocessing's own, which workers do not have
    with asgi_server.listen("127.0.0.1", 0, "") as listening:
        said.send(asgi_server.address(listening))
        asgi_server.run_workers(make_app, [listening], [], WORKERS)


@contextmanager
def started(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[BaseProcess, str]]:
    heard, said = multiprocessing.Pipe()
    process = multiprocessing.get_context("forkserver").Process(
        target=target, args=(said, *arguments)
    )
    process.start()
    try:
        assert heard.poll(LONG)
        yield process, heard.recv()
    finally:
        process.terminate()
        process.join()


@pytest.mark.parametrize(
    ("proxies", "told", "believed"),
    [
        (["127.0.0.1"], "203.0.113.7", "https 203.0.113.7"),
        (["127.0.0.0/8"], "6.6.6.6, 203.0.113.7", "https 203.0.113.7"),
        (["127.0.0.1", "10.0.0.0/8"], "203.0.113.7, 10.0.0.2", "https 203.0.113.7"),
        (["10.0.0.0/8"], "203.0.113.7", "http 127.0.0.1"),
        ([], "203.0.113.7", "http 127.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_says_who_the_client_is(
    proxies: Sequence[str], told: str, believed: str
) -> None:
    with started(serve, proxies) as (_, address):
        headers = {"X-Forwarded-For": told, "X-Forwarded-Proto": "https"}
        answer = httpx.get(address, headers=headers, timeout=LONG)
        assert answer.text == believed
        assert "server" not in answer.headers


def test_a_port_that_was_just_left_can_be_had_again() -> None:
    with asgi_server.listen("127.0.0.1", 0, "") as listening:
        host, port = listening.getsockname()
        with socket.create_connection((host, port)), listening.accept()[0] as served:
            served.shutdown(socket.SHUT_WR)  # who ends a connection first keeps its port busy
    with asgi_server.listen(host, port, "") as again:
        assert again.getsockname() == (host, port)


def test_a_port_that_cannot_be_had_is_refused_with_the_reason_and_what_to_do() -> None:
    with asgi_server.listen("127.0.0.1", 0, "") as listening:
        host, port = listening.getsockname()
        with pytest.raises(SettingsWrong, match=f"Port {port} on {host} is taken: set another"):
            asgi_server.listen(host, port, "set another.")
    with pytest.raises(SettingsWrong, match=r"192\.0\.2\.1 cannot be used \(.+\): set another"):
        asgi_server.listen("192.0.2.1", 0, "set another.")


def pids_of_workers(address: str, besides: Sequence[int] = ()) -> set[int]:
    """Once all of them have answered, each on a connection of its own."""
    answered: set[int] = set()
    until = time.monotonic() + LONG
    while len(answered - set(besides)) < WORKERS - len(besides) and time.monotonic() < until:
        answered.add(int(httpx.get(address, timeout=LONG).text))
    return answered


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_started_again_and_the_other_goes_on() -> None:
    with started(serve_with_workers) as (_, address):
        killed, other = sorted(pids_of_workers(address))
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not is_there(killed))
        assert killed not in pids_of_workers(address, besides=[other])
        assert is_there(other)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_workers(sign: signal.Signals) -> None:
    with started(serve_with_workers) as (process, address):
        pids = pids_of_workers(address)
        assert process.pid is not None
        for _ in range(3):  # those after the first do not disturb it
            os.kill(process.pid, sign)
        process.join(LONG)
        assert process.exitcode == 0
        assert not any(is_there(pid) for pid in pids)


def test_a_worker_that_hangs_is_killed_in_time() -> None:
    with started(serve_with_workers) as (process, address):
        pids = pids_of_workers(address)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/hang", timeout=0.5)
        process.terminate()
        process.join(LONG)
        assert process.exitcode == 0
        assert not any(is_there(pid) for pid in pids)


def test_workers_do_not_outlive_a_parent_that_is_killed() -> None:
    with started(serve_with_workers) as (process, address):
        pids = pids_of_workers(address)
        process.kill()
        wait_until(lambda: not any(is_there(pid) for pid in pids))
