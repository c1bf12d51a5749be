"""Who a client is, is believed of the proxies that the operator named, and of nobody else."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from pipeline import asgi_server


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    client = Request(scope).client
    answer = PlainTextResponse(f"{scope['scheme']} {client.host if client else ''}")
    await answer(scope, receive, send)


def serve(said: Connection, proxies: Sequence[str]) -> None:
    with asgi_server.listen("127.0.0.1", 0, "") as door:
        said.send(asgi_server.address(door))
        asgi_server.run(who, [door], proxies)


@contextmanager
def serving(proxies: Sequence[str]) -> Iterator[str]:
    heard, said = multiprocessing.Pipe()
    processes = multiprocessing.get_context("forkserver")
    process = processes.Process(target=serve, args=(said, proxies), daemon=True)
    process.start()
    try:
        assert heard.poll(30)
        yield heard.recv()
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
    with serving(proxies) as address:
        headers = {"X-Forwarded-For": told, "X-Forwarded-Proto": "https"}
        assert httpx.get(address, headers=headers).text == believed
