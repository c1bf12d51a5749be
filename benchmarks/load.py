"""Requests to the service over a fixed number of connections, from a process of its own.

Offered: each request has its moment, whatever became of those before it, and its latency counts
from that moment, so that waiting for a free connection is part of it. Saturating: each connection
sends the next request as soon as the last is answered.
"""

import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import quantiles
from typing import Any

from benchmarks.processes import measured_apart

CONNECTIONS = 50
_LEAD = 0.5  # seconds until the first request, while connections are made


@dataclass(frozen=True)
class Call:
    """One request of one signed-in user."""

    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True)
class Load:
    """Latencies in milliseconds; CPU seconds of the process that sent the requests."""

    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    cpu_s: float


def offered(port: int, calls: Sequence[Call], rate: float) -> Load:
    load: Load = measured_apart(_run, "offered load", port, calls, rate, None)
    return load


def saturating(port: int, calls: Sequence[Call], seconds: float) -> Load:
    """Calls are repeated from the first when they are used up."""
    load: Load = measured_apart(_run, "saturating load", port, calls, None, seconds)
    return load


@dataclass
class _Sender:
    """What the connections share."""

    port: int
    calls: Iterator[tuple[int, Call]]
    began: float
    rate: float | None
    ends: float
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        self._wait(self.began)
        while (taken := self._next()) is not None and time.perf_counter() < self.ends:
            number, call = taken
            if self.rate is not None:
                self._wait(self.began + number / self.rate)
            meant = self.began + number / self.rate if self.rate else time.perf_counter()
            self._send(connection, call)
            self.latencies.append(time.perf_counter() - meant)
        connection.close()

    def _next(self) -> tuple[int, Call] | None:
        with self._lock:
            return next(self.calls, None)

    @staticmethod
    def _wait(moment: float) -> None:
        time.sleep(max(moment - time.perf_counter(), 0))

    def _send(self, connection: http.client.HTTPConnection, call: Call) -> None:
        method = "GET" if call.body is None else "POST"
        connection.request(method, call.path, call.body, dict(call.headers))
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 201):
            self.failures.append(f"{method} {call.path.partition('?')[0]}: {answer.status}")


def _run(
    said: Connection,
    name: str,
    port: int,
    calls: Sequence[Call],
    rate: float | None,
    seconds: float | None,
) -> None:
    numbered = enumerate(calls if seconds is None else itertools.cycle(calls))
    began = time.perf_counter() + _LEAD
    sender = _Sender(port, numbered, began, rate, began + (seconds or float("inf")))
    threads = [threading.Thread(target=sender.work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if sender.failures:
        raise SystemExit(f"{name}: {len(sender.failures)} failed, such as {sender.failures[0]}")
    said.send(_load(sender.latencies, took))


def _load(latencies: list[float], took: float) -> Load:
    percentiles: list[Any] = quantiles(latencies, n=100, method="inclusive")
    return Load(
        requests=len(latencies),
        requests_per_s=len(latencies) / took,
        p50_ms=percentiles[49] * 1000,
        p99_ms=percentiles[98] * 1000,
        most_ms=max(latencies) * 1000,
        cpu_s=time.process_time(),
    )
