"""A proxy before a CHT that delays, cuts the line before or after the CHT has done what it was
asked, and answers in the CHT's place, at random.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread

import urllib3

_KEPT = ("accept", "authorization", "content-type")
_LOGIN_PAGE = b"<!doctype html><title>Login</title>"
FAULTS = (
    "delay",
    "cut before",
    "cut after",
    "500 before",
    "500 after",
    "429",
    "html",
    "html after",
)


class FaultyProxy:
    """`share` of all requests go wrong, in one of the ways of FAULTS; `met` counts them."""

    def __init__(self, behind: str, share: float, longest_delay: float, seed: int) -> None:
        self.share = share
        self.met: Counter[str] = Counter()
        self._behind = behind
        self._pool = urllib3.PoolManager(maxsize=16)
        self._longest_delay = longest_delay
        self._randomness = Random(seed)
        self._lock = Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.handle(self, b"")

            def do_POST(self) -> None:
                proxy.handle(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def handle(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        fault, seconds = self._draw()
        if fault in ("cut before", "500 before", "429", "html"):
            self._spoil(request, fault)
            return
        if fault == "delay":
            time.sleep(seconds)
        answer = self._ask(request, body)
        if fault in ("cut after", "500 after", "html after"):
            self._spoil(request, fault)
        else:
            kind = answer.headers.get("content-type", "")
            _answer(request, answer.status, kind, answer.data)

    def _draw(self) -> tuple[str, float]:
        with self._lock:
            is_faulty = self._randomness.random() < self.share
            fault = self._randomness.choice(FAULTS) if is_faulty else ""
            self.met[fault or "none"] += 1
            return fault, self._randomness.random() * self._longest_delay

    def _ask(self, request: BaseHTTPRequestHandler, body: bytes) -> urllib3.BaseHTTPResponse:
        headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
        url = self._behind + request.path
        return self._pool.request(request.command, url, body=body or None, headers=headers)

    def _spoil(self, request: BaseHTTPRequestHandler, fault: str) -> None:
        match fault.split()[0]:
            case "cut":
                request.close_connection = True
            case "html":
                _answer(request, 200, "text/html; charset=utf-8", _LOGIN_PAGE)
            case status:
                _answer(request, int(status), "application/json", b'{"error":"faulty"}')


def _answer(request: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    try:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
    except OSError:  # whoever asked was killed meanwhile
        request.close_connection = True


@contextmanager
def faulty_proxy(
    behind: str, *, share: float, longest_delay: float, seed: int = 1
) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(behind, share, longest_delay, seed)
    serving = Thread(target=proxy.server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
