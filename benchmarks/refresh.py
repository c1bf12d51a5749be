"""Refresh and publication of a generated programme: from nothing, compared with landing the same
documents; after 1,000 changes, compared with none; at ten times the documents; as a command,
compared with dbt running one view; and publishing, compared with plain `refresh materialized view`.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks import generated_programme, servers, sync
from benchmarks.generated_programme import Shape
from benchmarks.measured_legs import median_ratio
from benchmarks.report import print_report
from pipeline.database import Address, connect, now
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from pipeline.sync.rules import Document

PARTS = ("live", "growth", "publish")
DOCUMENTS = 200_000
GROWTH = 10
CHANGED = 1_000
SITES = 2_500
READ = (
    "select * from worklist.open_task where supervisor = 'supervisor_17' limit 50",
    "select * from worklist.missed_appointment limit 50",
    "select * from worklist.task_history limit 50",
    "select * from worklist.supervisor_workload where supervisor = 'supervisor_17'",
    "select * from worklist.to_trace limit 50",
)


def with_many_open_tasks(sites: int) -> Shape:
    """About 210 open tasks a site, each seen by two supervisors: 2,500 sites have a million rows
    of task and supervisor, from 2.1 million documents.
    """
    return Shape(
        sites=sites,
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


@dataclass(frozen=True)
class Measurement:
    """A database with a generated programme, a resident dbt, and what is measured with them.

    All methods but `land_again` return seconds of something that an operator waits for.
    """

    address: Address
    connection: psycopg.Connection
    dbt: dbt_process.Dbt
    folder: Path
    documents: int
    reader_waits: list[float] = field(default_factory=list)
    _seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def land_again(self) -> float:
        """Seconds that landing the same documents into the emptied table takes."""
        rows = self.connection.execute("""
            select convert_to(_id, 'UTF8'), convert_to(doc::text, 'UTF8'), _deleted
            from v1.couchdb
            order by landed_number
        """)
        documents = [Document(id_, doc, deleted, False) for id_, doc, deleted in rows]
        self.connection.execute("truncate v1.couchdb")
        return seconds(lambda: sync.land(self.connection, servers.SOURCE, documents))

    def refresh(self, tier: str = "live") -> float:
        """One round as `worklist run` makes it."""
        return seconds(
            lambda: refresh_run.refresh(
                self.connection, self.dbt, tier, lambda: now(self.connection), lambda *_: None
            )
        )

    def refresh_after_changes(self) -> float:
        self._change()
        return self.refresh()

    def command_after_changes(self) -> float:
        """`worklist refresh` as a process of its own."""
        self._change()
        environment = servers.environment(self.address, self.folder)
        return _command("pipeline.cli", "refresh", environment=environment, folder=self.folder)

    def publish_after_changes(self) -> float:
        """A publication of fresh live tables, while a reader queries the marts."""
        self.refresh_after_changes()
        is_done = threading.Event()
        with ThreadPoolExecutor(1) as reader:
            waited = reader.submit(_longest_wait, self.address, is_done)
            try:
                published = self.refresh("published")
            finally:
                is_done.set()
            self.reader_waits.append(waited.result())
        return published

    def refresh_views_plainly(self) -> float:
        """`refresh materialized view` of the same views, which locks readers out."""
        views = self.connection.execute(
            "select oid::regclass::text from pg_class where relkind = 'm' order by oid"
        ).fetchall()
        return seconds(
            lambda: [
                self.connection.execute(f"refresh materialized view {name}") for (name,) in views
            ]
        )

    def run_one_view(self) -> float:
        """dbt as a process of its own, with a project that is a single view."""
        project = self.folder / "one_view"
        if not project.exists():
            _write_one_view(project, self.address)
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "DBT_QUIET": "1"}
        return _command("dbt.cli.main", "run", environment=environment, folder=project)

    def _change(self) -> None:
        generated_programme.change(self.connection, CHANGED, seed=next(self._seeds) / 1000)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def alternating(rounds: int, *measurements: Callable[[], float]) -> list[list[float]]:
    """What each measurement gave, round by round; a first round, which warms up, is left out."""
    done = [[measure() for measure in measurements] for _ in range(rounds + 1)]
    return [list(figures) for figures in zip(*done[1:], strict=True)]


def _command(module: str, *arguments: str, environment: dict[str, str], folder: Path) -> float:
    command = [sys.executable, "-m", module, *arguments]
    return seconds(
        lambda: subprocess.run(
            command, env=environment, cwd=folder, check=True, stderr=subprocess.DEVNULL
        )
    )


def _write_one_view(project: Path, address: Address) -> None:
    """JSON is YAML."""
    output = {
        "type": "postgres",
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "dbname": address.database,
        "schema": "one_view",
        "threads": 1,
    }
    profile = {"target": "it", "outputs": {"it": output}}
    settings = {"name": "one_view", "version": "1.0.0", "profile": "one_view"}
    flags = {"send_anonymous_usage_stats": False}
    (project / "models").mkdir(parents=True)
    (project / "models" / "one_view.sql").write_text("select 1 as one")
    (project / "dbt_project.yml").write_text(json.dumps({**settings, "flags": flags}))
    (project / "profiles.yml").write_text(json.dumps({"one_view": profile}))


def _longest_wait(address: Address, is_done: threading.Event) -> float:
    """Seconds of the slowest query of a reader who queries one mart after the other."""
    longest = 0.0
    with connect(address, autocommit=True) as connection:
        while not is_done.wait(0.01):
            for query in READ:
                longest = max(longest, seconds(lambda: connection.execute(query).fetchall()))  # noqa: B023
    return longest


@contextmanager
def generated(shape: Shape) -> Iterator[Measurement]:
    with (
        servers.postgres() as address,
        tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder,
        connect(address, autocommit=True) as connection,
        dbt_process.running(address, "v1", "couchdb", Path(folder)) as running_dbt,
    ):
        documents = generated_programme.write(connection, shape)
        running_dbt.run(["parse"], lambda *_: None)  # the first parse is not what is measured
        yield Measurement(address, connection, running_dbt, Path(folder), documents)


@dataclass(frozen=True)
class Results:
    rows: list[dict[str, str]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, part: str, at: Measurement, rounds: list[float]) -> None:
        seconds = " ".join(f"{each:.2f}" for each in rounds)
        self.rows.append({"part": part, "documents": f"{at.documents:,}", "seconds": seconds})


def measure_live(results: Results, small: Measurement, rounds: int) -> None:
    landing, full = small.land_again(), small.refresh()
    results.add("landing", small, [landing])
    results.add("refresh from nothing", small, [full])
    changed, idle = alternating(rounds, small.refresh_after_changes, small.refresh)
    results.add(f"refresh after {CHANGED:,} changes", small, changed)
    results.add("refresh after none", small, idle)
    cold, one_view = alternating(rounds, small.command_after_changes, small.run_one_view)
    results.add("the same as a command", small, cold)
    results.add("dbt run of one view", small, one_view)
    results.figures["full_to_landing"] = full / landing
    results.figures["incremental_to_idle"] = median_ratio(changed, idle)
    results.figures["cold_to_dbt"] = median_ratio(cold, one_view)


def measure_growth(results: Results, small: Measurement, large: Measurement, rounds: int) -> None:
    for one in (small, large):
        one.refresh()
    few, many = alternating(rounds, small.refresh_after_changes, large.refresh_after_changes)
    results.add("alternating: after changes", small, few)
    results.add("and", large, many)
    results.figures["growth"] = median_ratio(many, few)


def measure_publication(results: Results, large: Measurement, rounds: int) -> None:
    large.refresh()
    large.refresh("published")  # creates the marts, so that they can be read
    published, plain = alternating(rounds, large.publish_after_changes, large.refresh_views_plainly)
    [count] = large.connection.execute("select count(*) from worklist.open_task").fetchone() or [0]
    results.add(f"publication, {count:,} open task rows", large, published)
    results.add("refresh materialized view", large, plain)
    results.figures["publish_to_plain"] = median_ratio(published, plain)
    results.figures["reader_waited_s"] = max(large.reader_waits)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--documents", type=int, default=DOCUMENTS)
    options.add_argument("--sites", type=int, default=SITES, help="of the publication")
    given = options.parse_args()
    parts, results = given.only or PARTS, Results()
    if {"live", "growth"} & set(parts):
        with generated(Shape.of(given.documents)) as small:
            if "live" in parts:
                measure_live(results, small, given.rounds)
            if "growth" in parts:
                with generated(Shape.of(given.documents * GROWTH)) as large:
                    measure_growth(results, small, large, given.rounds)
    if "publish" in parts:
        with generated(with_many_open_tasks(given.sites)) as large:
            measure_publication(results, large, given.rounds)
    print_report(
        "Refresh and publication of a generated programme",
        results.rows,
        {name: round(figure, 2) for name, figure in results.figures.items()},
    )


if __name__ == "__main__":
    main()
