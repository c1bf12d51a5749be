"""Requests to the service over a fixed number of connections, from a process of its own.

Offered: each request has its scheduled moment, whatever became of those before it, and its latency
counts from that moment, so that waiting for a free connection is part of it. Saturating: each
connection sends the next request as soon as the last is answered.

Requests are bytes before the clock starts, and of responses only status and length are read, so
that the load needs little of the cores that it measures.
"""

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import quantiles

from benchmarks.measured_legs import in_own_process

CONNECTIONS = 50
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_LEAD = 0.5  # seconds until the first request, while connections are made


@dataclass(frozen=True)
class Call:
    """One request of one signed-in user."""

    path: str
    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def bytes(self) -> bytes:
        """As HTTP/1.1 has it."""
        method = "GET" if self.body is None else "POST"
        headers = {"Host": "127.0.0.1", **self.headers}
        if self.body is not None:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + (self.body or b"")


@dataclass(frozen=True)
class Load:
    latencies_ms: Sequence[float]
    requests_per_s: float


def percentile(loads: Sequence[Load], percent: int) -> float:
    """In milliseconds, of all requests of these loads together."""
    every = [latency for load in loads for latency in load.latencies_ms]
    return quantiles(every, n=100, method="inclusive")[percent - 1]


def offered(port: int, calls: Sequence[Call], rate: float) -> Load:
    """Each call at its moment, `rate` a second."""
    return in_own_process(_send, port, calls, rate, None)


def saturating(port: int, calls: Sequence[Call], seconds: float) -> Load:
    """As many as are answered; calls are repeated from the first when they are used up."""
    return in_own_process(_send, port, calls, None, seconds)


class _HttpConnection:
    """A connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 16)

    def status(self, request: bytes) -> int:
        """Sends the request; the response's status, once all of it was received."""
        self._socket.sendall(request)
        head, rest = self._head()
        length = _LENGTH.search(head)
        if length is None:
            raise ConnectionError("a response without its length")
        left = int(length.group(1)) - rest
        while left > 0:
            left -= self._receive(0)
        return int(head[9:12])

    def _head(self) -> tuple[bytes, int]:
        """The response's head, and how many bytes of the body came with it."""
        have = 0
        while (end := self._buffer.find(b"\r\n\r\n", 0, have)) < 0:
            have += self._receive(have)
        return bytes(self._buffer[:end]), have - end - 4

    def _receive(self, have: int) -> int:
        received = self._socket.recv_into(memoryview(self._buffer)[have:])
        if not received:
            raise ConnectionError("the service closed the connection")
        return received

    def close(self) -> None:
        self._socket.close()


@dataclass
class _Sender:
    """What the connections share. A call is its path, to report what failed, and its bytes."""

    port: int
    calls: Iterator[tuple[int, tuple[str, bytes]]]
    began: float
    rate: float | None
    ends: float
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        connection = _HttpConnection(self.port)
        self._wait(self.began)
        while (taken := self._next()) is not None and time.perf_counter() < self.ends:
            number, (path, request) = taken
            if self.rate is not None:
                self._wait(self.began + number / self.rate)
            scheduled = self.began + number / self.rate if self.rate else time.perf_counter()
            status = connection.status(request)
            self.latencies.append(time.perf_counter() - scheduled)
            if status not in (200, 201):
                self.failures.append(f"{path}: {status}")
        connection.close()

    def _next(self) -> tuple[int, tuple[str, bytes]] | None:
        with self._lock:
            return next(self.calls, None)

    @staticmethod
    def _wait(moment: float) -> None:
        time.sleep(max(moment - time.perf_counter(), 0))


def _send(port: int, calls: Sequence[Call], rate: float | None, seconds: float | None) -> Load:
    ready = [(call.path.partition("?")[0], call.bytes) for call in calls]
    numbered = enumerate(ready if seconds is None else itertools.cycle(ready))
    began = time.perf_counter() + _LEAD
    sender = _Sender(port, numbered, began, rate, began + (seconds or float("inf")))
    with ThreadPoolExecutor(CONNECTIONS) as connections:
        for done in [connections.submit(sender.work) for _ in range(CONNECTIONS)]:
            done.result()
    took = time.perf_counter() - began
    if sender.failures:
        raise SystemExit(f"{len(sender.failures)} requests failed: {sender.failures[0]}")
    latencies_ms = [latency * 1000 for latency in sender.latencies]
    return Load(latencies_ms, len(latencies_ms) / took)
