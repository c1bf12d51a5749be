"""What integration tests share: a simulated CHT, one that answers by script, a programme."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from pipeline.cht.client import ChtClient
from pipeline.database import connect
from pipeline.refresh import dbt
from tests.conftest import PostgresServer, recorded_copy
from tests.integration.programme import Programme

ScriptedAnswer = Callable[[BaseHTTPRequestHandler, bytes], None]


@pytest.fixture
def cht(simulated_cht: Any) -> Iterator[ChtClient]:
    """The simulated CHT, entered with the service's account."""
    with ChtClient(simulated_cht.url, "worklist", "password") as client:
        yield client


class FaultyDoor:
    """Stands before a CHT and passes everything on, but for the faults put into its script.

    Each write (`_bulk_docs`) takes the next of `faults`, where there is one: a status to answer
    with, `html` for a login page, `lost` to write but cut the answer off.
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
        if not request.path.endswith("_bulk_docs"):
            self._pass(request, body)
            return
        self.bulk_requests.append([document["_id"] for document in json.loads(body)["docs"]])
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


@pytest.fixture(scope="module")
def programme(
    postgres_server: PostgresServer,
    recorded_template: str,
    home: Path,
) -> Iterator[Programme]:
    """One a module, since dbt takes its time: each test changes patients of its own."""
    with (
        recorded_copy(postgres_server, recorded_template) as address,
        connect(address, autocommit=True) as connection,
        dbt.running(address, "v1", "couchdb", home) as running_dbt,
    ):
        yield Programme(address, connection, running_dbt)
