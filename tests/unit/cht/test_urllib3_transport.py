"""The transport before a server of its own: what only real connections show."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from pipeline.cht.client import ChtClient
from pipeline.cht.http import WebPage
from tests.waiting import LONG

SESSION = b'{"userCtx":{"name":"worklist","roles":["mm-online"]}}'


class _Server(ThreadingHTTPServer):
    """A session at `/_session`, compressed at `/gzip/_session`, elsewhere at `/moved/_session`;
    every other answer does not end before `is_over` is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.is_over = Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/_session":
                self._answer(SESSION)
            case "/gzip/_session":
                self._answer(gzip.compress(SESSION), encoding="gzip")
            case "/moved/_session":
                self._answer(SESSION, status=302, location="/_session")
            case _:
                self._answer(b'{"results":[\n', length="1000")
                self.server.is_over.wait(LONG)

    def _answer(
        self,
        body: bytes,
        status: int = 200,
        encoding: str = "",
        location: str = "",
        length: str = "",
    ) -> None:
        headers = {
            "Content-Type": "application/json",
            "Content-Length": length or str(len(body)),
            "Content-Encoding": encoding,
            "Location": location,
        }
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.is_over.set()
    made.shutdown()
    made.server_close()


def test_a_request_after_an_answer_that_was_not_read_gets_its_own(server: _Server) -> None:
    with ChtClient(server.url) as client:
        with client.http.streamed("GET", "/medic/_changes"):
            pass
        assert client.session().name == "worklist"


def test_a_compressed_answer_is_read(server: _Server) -> None:
    with ChtClient(f"{server.url}/gzip") as client:
        assert client.session().name == "worklist"


def test_a_redirect_is_not_followed(server: _Server) -> None:
    with ChtClient(f"{server.url}/moved") as client, pytest.raises(WebPage):
        client.session()
