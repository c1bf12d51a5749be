"""A leg of a benchmark in a process of its own, so that legs share no memory and no warm caches."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Leg:
    """Wall-clock seconds, CPU seconds of our process and its children, peak memory in MB."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def in_own_process(work: Callable[..., Result], *arguments: object) -> Result:
    """What `work(*arguments)` returns; its exceptions are raised here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(work, *arguments).result()


def measured(prepare: Callable[..., Callable[[], int]], count: int, *arguments: object) -> Leg:
    """One call of what `prepare(*arguments)` returns, which must say that it handled `count`."""
    return in_own_process(_measure, prepare, count, *arguments)


def _measure(prepare: Callable[..., Callable[[], int]], count: int, *arguments: object) -> Leg:
    run = prepare(*arguments)
    began, cpu_seconds = time.perf_counter(), _cpu_seconds()
    handled = run()
    seconds, cpu_seconds = time.perf_counter() - began, _cpu_seconds() - cpu_seconds
    if handled != count:
        raise SystemExit(f"{prepare.__name__}: {handled} documents instead of {count}")
    return Leg(seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _cpu_seconds() -> float:
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def median_ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """The median of the rounds' own ratios, since a machine's pace changes between rounds."""
    return statistics.median(one / other for one, other in zip(ours, baseline, strict=True))
