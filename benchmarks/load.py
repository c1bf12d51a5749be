"""Requests to the service over a fixed number of connections, from a process of its own.

Offered: each request has its moment, whatever became of those before it, and its latency counts
from that moment, so that waiting for a free connection is part of it. Saturating: each connection
sends the next request as soon as the last is answered.

Requests are bytes before the clock starts, and of answers only status and length are read: what
sends must not need the cores that answer.
"""

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles

from benchmarks.processes import measured_apart

CONNECTIONS = 50
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_QUIET = 0.01  # beyond, the host decides what is slow
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
    """The latency of each request; CPU seconds of the process that sent them; which share of the
    machine's time its host gave to others meanwhile, where Linux tells.
    """

    latencies_ms: Sequence[float]
    requests_per_s: float
    cpu_s: float
    stolen: float

    @property
    def is_quiet(self) -> bool:
        return self.stolen <= _QUIET


def percentile(loads: Sequence[Load], percent: int) -> float:
    """In milliseconds, of all requests of these loads together."""
    every = [latency for load in loads for latency in load.latencies_ms]
    return quantiles(every, n=100, method="inclusive")[percent - 1]


def offered(port: int, calls: Sequence[Call], rate: float) -> Load:
    load: Load = measured_apart(_run, "offered load", port, calls, rate, None)
    return load


def saturating(port: int, calls: Sequence[Call], seconds: float) -> Load:
    """Calls are repeated from the first when they are used up."""
    load: Load = measured_apart(_run, "saturating load", port, calls, None, seconds)
    return load


class _Line:
    """A connection that is kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 16)

    def status(self, request: bytes) -> int:
        """Of the answer, once all of it is here."""
        self._socket.sendall(request)
        head, rest = self._head()
        told = _LENGTH.search(head)
        if told is None:
            raise ConnectionError("an answer without its length")
        left = int(told.group(1)) - rest
        while left > 0:
            left -= self._receive(0)
        return int(head[9:12])

    def _head(self) -> tuple[bytes, int]:
        """The answer's head, and how many bytes after it have come along."""
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
    """What the connections share. A call is its path, for telling what failed, and its bytes."""

    port: int
    calls: Iterator[tuple[int, tuple[str, bytes]]]
    began: float
    rate: float | None
    ends: float
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        line = _Line(self.port)
        self._wait(self.began)
        while (taken := self._next()) is not None and time.perf_counter() < self.ends:
            number, (path, request) = taken
            if self.rate is not None:
                self._wait(self.began + number / self.rate)
            meant = self.began + number / self.rate if self.rate else time.perf_counter()
            status = line.status(request)
            self.latencies.append(time.perf_counter() - meant)
            if status not in (200, 201):
                self.failures.append(f"{path}: {status}")
        line.close()

    def _next(self) -> tuple[int, tuple[str, bytes]] | None:
        with self._lock:
            return next(self.calls, None)

    @staticmethod
    def _wait(moment: float) -> None:
        time.sleep(max(moment - time.perf_counter(), 0))


def _run(
    said: Connection,
    name: str,
    port: int,
    calls: Sequence[Call],
    rate: float | None,
    seconds: float | None,
) -> None:
    ready = [(call.path.partition("?")[0], call.bytes) for call in calls]
    numbered = enumerate(ready if seconds is None else itertools.cycle(ready))
    began = time.perf_counter() + _LEAD
    sender = _Sender(port, numbered, began, rate, began + (seconds or float("inf")))
    prepared, before = time.process_time(), machine_time()
    threads = [threading.Thread(target=sender.work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    cpu_s, stolen = time.process_time() - prepared, stolen_since(before)
    if sender.failures:
        raise SystemExit(f"{name}: {len(sender.failures)} failed, such as {sender.failures[0]}")
    latencies_ms = [latency * 1000 for latency in sender.latencies]
    said.send(Load(latencies_ms, len(latencies_ms) / took, cpu_s, stolen))


def stolen_since(before: tuple[int, int]) -> float:
    """The share of the machine's time that its host gave to others since a `machine_time`."""
    after = machine_time()
    return (after[0] - before[0]) / max(after[1] - before[1], 1)


def machine_time() -> tuple[int, int]:
    """Ticks that were stolen from this machine so far, and all."""
    statistics = Path("/proc/stat")
    if not statistics.exists():
        return 0, 0
    ticks = [int(each) for each in statistics.read_text().partition("\n")[0].split()[1:9]]
    return ticks[7], sum(ticks)
