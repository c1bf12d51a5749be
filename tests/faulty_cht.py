"""A CHT that answers wrongly when told to."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever asked or the CHT behind is gone, as a test may want it."""


class FaultyCht:
    """A proxy of a CHT that passes everything on, but for the faults it is told.

    Each write takes the next of `faults`, where there is one, and each page of
    changes that is read the next of `reading_faults`: a status to answer with, `html` for a login
    page, `garbage` for something else, `lost` to write but cut the answer off, `half` to do so in
    its middle. `bulk_requests` are the ids of each write; what the API is to make has none.
    """

    def __init__(self, behind: str) -> None:
        self.faults: list[int | str] = []
        self.reading_faults: list[int | str] = []
        self.requests: list[str] = []
        self.bulk_requests: list[list[str]] = []
        self._behind = httpx.Client(base_url=behind, timeout=60)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy._get(self)

            def do_POST(self) -> None:
                proxy._post(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        is_page = "include_docs=true" in request.path
        self._answer(request, b"", self.reading_faults if is_page else [])

    def _post(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.requests.append(request.path)
        is_write = request.path.endswith(("_bulk_docs", "/api/v1/report"))
        if is_write:
            documents = json.loads(body).get("docs", ())
            self.bulk_requests.append([document["_id"] for document in documents])
        self._answer(request, body, self.faults if is_write else [])

    def _answer(
        self, request: BaseHTTPRequestHandler, body: bytes, faults: list[int | str]
    ) -> None:
        match faults.pop(0) if faults else None:
            case None:
                self._pass(request, body)
            case "lost":
                self._ask(request, body)
                request.close_connection = True
            case "half":
                whole = self._ask(request, body).content
                _answer(request, 200, "application/json", whole[: len(whole) // 2], len(whole))
                request.close_connection = True
            case "html":
                _answer(request, 200, "text/html; charset=utf-8", b"<html>sign in</html>")
            case "garbage":
                _answer(request, 200, "application/json", b'{"ok":true}')
            case int(status):
                _answer(request, status, "application/json", b'{"error":"scripted"}')

    def _ask(self, request: BaseHTTPRequestHandler, body: bytes) -> httpx.Response:
        kept = {"accept", "authorization", "content-type"}
        headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
        return self._behind.request(request.command, request.path, content=body, headers=headers)

    def _pass(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        answer = self._ask(request, body)
        _answer(request, answer.status_code, answer.headers["content-type"], answer.content)


def _answer(
    request: BaseHTTPRequestHandler, status: int, kind: str, body: bytes, size: int | None = None
) -> None:
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(size or len(body)))
    request.end_headers()
    request.wfile.write(body)
