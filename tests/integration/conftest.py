"""What integration tests share: a client of the simulated CHT, and a CHT that answers by script."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest

from pipeline.cht.client import ChtClient
from pipeline.database import Address
from tests.integration.outbox import Outbox

ScriptedAnswer = Callable[[BaseHTTPRequestHandler, bytes], None]


@pytest.fixture
def cht(simulated_cht: Any) -> Iterator[ChtClient]:
    """The simulated CHT, entered with the service's account."""
    with ChtClient(simulated_cht.url, "worklist", "password") as client:
        yield client


class FaultyDoor:
    """Stands before a CHT and passes everything on, but for the faults put into its script.

    Each write takes the next of `faults`, where there is one: a status to answer with, `html` for
    a login page, `lost` to write but cut the answer off. `bulk_requests` are the ids of each write;
    what the API is to make has none.
    """

    def __init__(self, behind: str) -> None:
        self.faults: list[int | str] = []
        self.bulk_requests: list[list[str]] = []
        self._behind = httpx.Client(base_url=behind)
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                door._pass(self, b"")

            def do_POST(self) -> None:
                door._post(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _post(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if not request.path.endswith(("_bulk_docs", "/api/v1/report")):
            self._pass(request, body)
            return
        written = json.loads(body)
        ids = [document["_id"] for document in written.get("docs", ())]
        self.bulk_requests.append(ids)
        match self.faults.pop(0) if self.faults else None:
            case None:
                self._pass(request, body)
            case "lost":
                self._ask(request, body)
                request.close_connection = True
            case "html":
                _answer(request, 200, "text/html; charset=utf-8", b"<html>sign in</html>")
            case int(status):
                _answer(request, status, "application/json", b'{"error":"scripted"}')

    def _ask(self, request: BaseHTTPRequestHandler, body: bytes) -> httpx.Response:
        kept = {"accept", "authorization", "content-type"}
        headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
        return self._behind.request(request.command, request.path, content=body, headers=headers)

    def _pass(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        answer = self._ask(request, body)
        _answer(request, answer.status_code, answer.headers["content-type"], answer.content)


def _answer(request: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def faulty_door(simulated_cht: Any) -> Iterator[FaultyDoor]:
    """A door before the simulated CHT that answers wrongly when told to."""
    door = FaultyDoor(simulated_cht.url)
    Thread(target=door.server.serve_forever, args=(0.02,), daemon=True).start()
    yield door
    door.server.shutdown()
    door.server.server_close()


@pytest.fixture
def outbox(
    database: Address, connection: psycopg.Connection, faulty_door: FaultyDoor
) -> Iterator[Outbox]:
    with ChtClient(faulty_door.url, "worklist", "password") as client:
        yield Outbox(database, connection, client)
