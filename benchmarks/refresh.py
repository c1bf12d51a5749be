"""Refresh and publication of a generated programme: from nothing, after a thousand changed
documents, the same at ten times the size, as a command, and with a reader going on.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks import programme, servers
from benchmarks.programme import Shape
from benchmarks.report import median, tell
from pipeline.database import Address, connect, now
from pipeline.refresh import dbt
from pipeline.refresh import run as refreshing

PARTS = ("full", "incremental", "growth", "cold", "publish")
DOCUMENTS = 200_000
GROWN = 10  # times that
CHANGED = 1_000
# 2,500 sites with two supervisors each and about 210 open tasks: a million rows of task and
# supervisor, from about 2.1 million documents.
MANY_OPEN_TASKS = Shape(
    sites=2_500,
    areas=4,
    households=8,
    patients=80,
    reports={
        "trace": 72,
        "missed_appointment_verification": 6,
        "visit_verification": 5,
        "trace_follow_up": 8,
        "household_visit": 8,
    },
    chw_tasks=20,
    targets=1,
    trace_days=28,
)
READ = (
    "select * from worklist.open_task where supervisor = 'supervisor_17' limit 50",
    "select * from worklist.missed_appointment limit 50",
    "select * from worklist.task_history limit 50",
    "select * from worklist.supervisor_workload where supervisor = 'supervisor_17'",
    "select * from worklist.to_trace limit 50",
)

Figures = dict[str, float]
Rows = list[dict[str, object]]


@dataclass(frozen=True)
class Place:
    """A database with a generated programme, and a dbt that stays."""

    address: Address
    connection: psycopg.Connection
    dbt: dbt.Dbt
    folder: Path
    documents: int
    seeds: Iterator[float]

    def refresh(self, tier: str = "live") -> float:
        """Seconds of one round, as `worklist run` makes it."""
        began = time.perf_counter()
        refreshing.refresh(
            self.connection, self.dbt, tier, lambda: now(self.connection), lambda *_: None
        )
        return time.perf_counter() - began

    def publish(self) -> float:
        """Seconds of a publication of fresh live tables."""
        self.refresh()
        return self.refresh("published")

    def open_task_rows(self) -> int:
        found = self.connection.execute("select count(*) from worklist.open_task").fetchone()
        return int(found[0]) if found else 0

    def refresh_as_a_command(self) -> float:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "refresh"],
            env=servers.environment(self.address, self.folder),
            cwd=self.folder,
            check=True,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - began

    def after_changes(self, rounds: int, refresh: Callable[[], float]) -> list[float]:
        """Seconds of each round; another one before them warms up what only the first needs."""
        seconds = []
        for _ in range(rounds + 1):
            programme.change(self.connection, CHANGED, seed=next(self.seeds))
            seconds.append(refresh())
        return seconds[1:]


@contextmanager
def place(shape: Shape) -> Iterator[Place]:
    with (
        servers.postgres() as address,
        tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder,
        connect(address, autocommit=True) as connection,
        dbt.running(address, "v1", "couchdb", Path(folder)) as running_dbt,
    ):
        documents = programme.write(connection, shape)
        running_dbt.run(["parse"], lambda *_: None)  # the first parse is not what is measured
        seeds = (number / 1000 for number in itertools.count(1))
        yield Place(address, connection, running_dbt, Path(folder), documents, seeds)


class Reader(threading.Thread):
    """Reads the published marts one after the other until it is stopped."""

    def __init__(self, address: Address) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._stopped = threading.Event()
        self.waited_s = 0.0  # the longest for one answer

    def run(self) -> None:
        with connect(self._address, autocommit=True) as connection:
            while not self._stopped.wait(0.01):
                for query in READ:
                    began = time.perf_counter()
                    connection.execute(query).fetchall()
                    self.waited_s = max(self.waited_s, time.perf_counter() - began)

    def stop(self) -> float:
        self._stopped.set()
        self.join()
        return self.waited_s


def ordinary(only: set[str], rounds: int) -> tuple[Rows, Figures]:
    """From nothing and after changes, at the usual size."""
    rows: Rows = []
    figures: Figures = {}
    with place(Shape.of(DOCUMENTS)) as small:
        figures["full_s"] = small.refresh()
        rows.append(_row("full", small, [figures["full_s"]]))
        if only & {"incremental", "growth"}:
            resident = small.after_changes(rounds, small.refresh)
            figures["incremental_s"] = median(resident)
            rows.append(_row("incremental", small, resident))
        if "cold" in only:
            cold = small.after_changes(rounds, small.refresh_as_a_command)
            figures["cold_s"] = median(cold)
            rows.append(_row("cold", small, cold))
    return rows, figures


def grown(rounds: int) -> tuple[Rows, float]:
    """The same at ten times the size; the median after changes, too."""
    with place(Shape.of(DOCUMENTS * GROWN)) as large:
        full = large.refresh()
        resident = large.after_changes(rounds, large.refresh)
    return [_row("full", large, [full]), _row("incremental", large, resident)], median(resident)


def published(rounds: int) -> tuple[Rows, Figures]:
    """Checks, all marts and the readers' longest wait; first the building, then as each night."""
    with place(MANY_OPEN_TASKS) as large:
        built = large.publish()
        reader = Reader(large.address)
        reader.start()
        again = large.after_changes(rounds, large.publish)
        waited = reader.stop()
        count = large.open_task_rows()
    rows = [
        _row("publish, building", large, [built]),
        _row(f"publish, {count:,} open task rows", large, again),
    ]
    return rows, {"publish_s": median(again), "reader_waited_s": waited}


def _row(part: str, at: Place, seconds: list[float]) -> dict[str, object]:
    return {
        "part": part,
        "documents": f"{at.documents:,}",
        "seconds": " ".join(f"{each:.2f}" for each in seconds),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    only = set(given.only or PARTS)
    rows: Rows = []
    figures: Figures = {}
    if only - {"publish"}:
        rows, figures = ordinary(only, given.rounds)
    if "growth" in only:
        more, seconds = grown(given.rounds)
        rows += more
        figures["growth"] = seconds / figures["incremental_s"]
    if "publish" in only:
        more, publishing = published(given.rounds)
        rows += more
        figures |= publishing
    tell(
        f"Refresh of a generated programme, {CHANGED:,} changed documents a round",
        rows,
        {name: round(seconds, 2) for name, seconds in figures.items()},
    )


if __name__ == "__main__":
    main()
