"""The service under load: a million open tasks, five thousand supervisors with 1 to 400 each.

The service is `worklist serve` in a process of its own, the load comes from another. Kinds of
requests take turns, in rounds. A round in which the host takes the cores away measures the host: it
is told, does not count, and is repeated. By turns with them pgbench asks PostgreSQL the list's
statement at the same pace, which tells what of a list's latency is the machine's. Then both as many
as it takes.
"""

import argparse
import http.client
import itertools
import json
import random
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import sqlalchemy
from psycopg import sql

from benchmarks import load, programme, servers
from benchmarks.load import Call, Load
from benchmarks.programme import Shape
from benchmarks.report import median, tell
from pipeline import embedded
from pipeline.database import KEPT_CONNECTIONS, PLANNING, Address, connect, driver, engine, now
from pipeline.refresh import dbt
from pipeline.refresh import run as refreshing
from pipeline.service.dependencies import COOKIE
from pipeline.service.list_view import PAGE_LENGTH
from pipeline.worklist import sessions, store
from pipeline.worklist.sessions import Session

RATE = 200.0
_PAGES = 0.2  # of that rate: a page is a dozen statements
_WARM_UP_SECONDS = 5.0
_PATIENCE = 4  # rounds at most for each that is to be quiet
TASKS, SUPERVISORS = 1_000_000, 5_000
_ANSWERING_AT_ONCE, _ANSWERED_OF_ONE = 200, 8


def shape(tasks: int, supervisors: int) -> Shape:
    """One supervisor a site; open tasks differ evenly from a few to twice the average.

    Of the traces nine in ten ask for a verification, and the first two of each area are answered.
    """
    areas = 4
    traces = round(tasks / supervisors * 2.34 / areas)
    return Shape(
        sites=supervisors,
        supervisors=1,
        areas=areas,
        households=8,
        patients=60,
        reports={
            "trace": traces,
            "missed_appointment_verification": 2,
            "visit_verification": 1,
            "trace_follow_up": 1,
            "household_visit": 1,
        },
        chw_tasks=1,
        targets=1,
        trace_days=28,
        unevenness=max((traces - 3) * areas, 0),
    )


@dataclass(frozen=True)
class Supervisor:
    """A signed-in supervisor; the site's number is his own."""

    number: int
    headers: dict[str, str]

    def list(self) -> Call:
        return Call("/api/v1/tasks", self.headers)

    def page(self) -> Call:
        return Call("/", self.headers)

    def search(self, randomness: random.Random, size: Shape) -> Call:
        """A patient of his by name, shortcode or phone, as far as people type them."""
        area = self.number * size.areas + randomness.randrange(size.areas)
        patient = area * size.patients + randomness.randrange(size.patients)
        searched = randomness.choice(
            [f"person {patient}", f"{patient}803"[:6], f"9{patient % 10**8:08}"[-7:]]
        )
        return Call(f"/api/v1/tasks?{urlencode({'q': searched})}", self.headers)

    def verify(self, task_uuid: str, randomness: random.Random) -> Call:
        answer = randomness.choice(
            [{"outcome": "visited"}, {"outcome": "not_visited", "reason": "moved", "note": "Left."}]
        )
        more = {
            "Content-Type": "application/json",
            "Idempotency-Key": str(UUID(int=randomness.getrandbits(128), version=4)),
        }
        path = f"/api/v1/tasks/{task_uuid}/verification"
        return Call(path, {**self.headers, **more}, json.dumps(answer).encode())


@dataclass(frozen=True)
class Service:
    """A running service before a database of `size`, with everybody signed in."""

    address: Address
    port: int
    size: Shape
    supervisors: Sequence[Supervisor]
    randomness: random.Random

    def lists(self) -> Iterator[Call]:
        return (one.list() for one in self._at_random())

    def pages(self) -> Iterator[Call]:
        return (one.page() for one in self._at_random())

    def searches(self) -> Iterator[Call]:
        return (one.search(self.randomness, self.size) for one in self._at_random())

    def verifications(self) -> Iterator[Call]:
        """Each about another open task, of supervisors at random, as their lists show them."""
        taken: set[str] = set()
        while True:
            everybody = iter(self.randomness.sample(self.supervisors, len(self.supervisors)))
            before = len(taken)
            while some := list(itertools.islice(everybody, _ANSWERING_AT_ONCE)):
                calls: list[Call] = []
                for one in some:
                    left = [task_uuid for task_uuid in self._tasks(one) if task_uuid not in taken]
                    chosen = left[:_ANSWERED_OF_ONE]
                    taken.update(chosen)
                    calls += [one.verify(task_uuid, self.randomness) for task_uuid in chosen]
                self.randomness.shuffle(calls)
                yield from calls
            if len(taken) == before:
                raise SystemExit("No task is left to answer: fewer --seconds or --rounds, please.")

    def _at_random(self) -> Iterator[Supervisor]:
        """Supervisors without end."""
        while True:
            yield self.randomness.choice(self.supervisors)

    def _tasks(self, supervisor: Supervisor) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        call = supervisor.list()
        connection.request("GET", call.path, headers={"Cookie": call.headers["Cookie"]})
        tasks = json.loads(connection.getresponse().read())["tasks"]
        connection.close()
        return [task["task_uuid"] for task in tasks if task["last_round"] == 0]


def _prepare(address: Address, folder: Path, size: Shape) -> None:
    with (
        connect(address, autocommit=True) as connection,
        dbt.running(address, "v1", "couchdb", folder) as running_dbt,
    ):
        programme.write(connection, size)
        refreshing.refresh(
            connection, running_dbt, "live", lambda: now(connection), lambda *_: None
        )
        connection.execute("vacuum analyze")  # autovacuum would come by in a while
        connection.execute("checkpoint")


def _sign_in(address: Address) -> list[Supervisor]:
    """A session for every supervisor, with the rights that his settings document names."""
    signing_in = engine(address)
    with signing_in.begin() as connection:
        moment = now(connection)
        accounts = connection.execute(
            sqlalchemy.text("""
                select user_name, roles, facility_uuids, contact_uuid
                from worklist_live.user_account
                where is_online
            """)
        ).all()
        for account in accounts:
            rights = tuple(account.roles), tuple(account.facility_uuids), account.contact_uuid
            who = Session(account.user_name, *rights)
            sessions.begin(connection, f"token-of-{account.user_name}", who, moment)
    signing_in.dispose()
    return [
        Supervisor(
            int(str(account[0]).rpartition("_")[2]),
            {"Cookie": f"{COOKIE}=token-of-{account[0]}", "Accept-Encoding": "gzip"},
        )
        for account in accounts
    ]


@contextmanager
def _served(address: Address, folder: Path) -> Iterator[int]:
    """The port of `worklist serve`, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = servers.environment(address, folder) | {"WORKLIST_PORT": str(port)}
    command = [sys.executable, "-m", "pipeline.cli", "serve"]
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL) as serve:
        try:
            _wait_until_ready(port)
            yield port
        finally:
            serve.terminate()


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        time.sleep(0.1)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except ConnectionRefusedError:
            continue
        finally:
            connection.close()
    raise SystemExit("The service did not start.")


@contextmanager
def service(tasks: int, supervisors: int) -> Iterator[Service]:
    size = shape(tasks, supervisors)
    with (
        servers.postgres() as address,
        tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder,
    ):
        _prepare(address, Path(folder), size)
        signed_in = _sign_in(address)
        with _served(address, Path(folder)) as port:
            yield Service(address, port, size, signed_in, random.Random(20261125))


def list_query(address: Address, supervisors: int) -> str:
    """The statement of the first page as a script of pgbench, for a site drawn at random.

    Whatever else is a parameter stands in it as a constant.
    """
    said: list[tuple[str, Sequence[Any]]] = []

    class Heard(psycopg.RawCursor[Any]):
        def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
            said.append((query.decode(), params))
            return super().execute(query, params, **how)

    asking = engine(address)
    with asking.connect() as connection, mock.patch("psycopg.RawCursor", Heard):
        viewer = store.viewer(connection, "supervisor_0", ())
        store.tasks(connection, viewer, limit=PAGE_LENGTH + 1)
        [(statement, parameters)] = said
        site = "array[md5('site' || :site)::uuid::text]"
        values = [
            site
            if value == list(viewer.facility_uuids)
            else sql.Literal(value).as_string(driver(connection))
            for value in parameters
        ]
    asking.dispose()
    written = re.sub(r"\$([0-9]+)", lambda found: values[int(found.group(1)) - 1], statement)
    query = " ".join(written.split())
    return f"\\set site random(0, {supervisors - 1})\n{query};\n"


def pgbench(address: Address, script: Path, seconds: float, rate: float | None = None) -> Load:
    """The script over and over; or at random moments, `rate` times a second in the mean, each
    latency from the moment that was meant. The first second does not count: connections plan.
    """
    before, cpu_s = load.machine_time(), _cpu_s_of_commands()
    with tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder:
        done = subprocess.run(
            [
                *(str(embedded.BINARIES / "pgbench"), "--no-vacuum", "--protocol=prepared"),
                *(f"--client={KEPT_CONNECTIONS}", f"--time={round(seconds) + 1}"),
                *(f"--file={script}", *([f"--rate={rate}"] if rate else [])),
                *("--log", f"--log-prefix={folder}/pgbench"),
                *("--host", address.host, "--port", str(address.port)),
                *("--username", address.user, address.database),
            ],
            env={"PGPASSWORD": address.password, "PGOPTIONS": address.options + PLANNING},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"pgbench failed: {done.stderr.strip()}")
        stolen, cpu_s = load.stolen_since(before), _cpu_s_of_commands() - cpu_s
        [log] = Path(folder).iterdir()
        lines = [line.split() for line in log.read_text().splitlines()]
    ended = [int(line[4]) + int(line[5]) / 1e6 for line in lines]
    began, end = min(ended) + 1, max(ended)
    latencies_ms = [
        int(line[2]) / 1000 for line, moment in zip(lines, ended, strict=True) if moment > began
    ]
    return Load(latencies_ms, len(latencies_ms) / (end - began), cpu_s, stolen)


def _cpu_s_of_commands() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Leg:
    """One kind of request, at its own rate in requests a second, for so many seconds."""

    name: str
    rate: float
    run: Callable[[float], Load]
    rounds: list[Load] = field(default_factory=list)

    @property
    def quiet(self) -> list[Load]:
        return [done for done in self.rounds if done.is_quiet]


def _offered(here: Service, script: Path, seconds: float, rate: float, rounds: int) -> list[Leg]:
    """Until `rounds` of each leg were quiet, or patience ends.

    Each leg first for a while that does not count: the pool fills, plans are made.
    """

    def http(name: str, rate: float, calls: Iterator[Call]) -> Leg:
        def run(seconds: float) -> Load:
            offered = list(itertools.islice(calls, round(rate * seconds)))
            return load.offered(here.port, offered, rate)

        return Leg(name, rate, run)

    legs = [
        http("list", rate, here.lists()),
        Leg("pgbench", rate, partial(pgbench, here.address, script, rate=rate)),
        http("page", rate * _PAGES, here.pages()),
        http("search", rate, here.searches()),
        http("verify", rate, here.verifications()),
    ]
    for leg in legs:
        leg.run(_WARM_UP_SECONDS)
    for _ in range(rounds * _PATIENCE):
        for leg in legs:
            if len(leg.quiet) < rounds:
                leg.rounds.append(leg.run(seconds))
    return legs


def _against_pgbench(
    here: Service, script: Path, seconds: float, rounds: int
) -> tuple[list[Load], list[Load]]:
    """As many lists as it takes, of the service and of pgbench, by turns."""
    ours, bare = [], []
    lists = list(itertools.islice(here.lists(), 5_000))
    for _ in range(rounds):
        ours.append(load.saturating(here.port, lists, seconds))
        bare.append(pgbench(here.address, script, seconds))
    return ours, bare


def _row(leg: str, loads: Sequence[Load]) -> dict[str, object]:
    return {
        "leg": leg,
        "requests": f"{sum(len(done.latencies_ms) for done in loads):,}",
        "requests/s": f"{median([done.requests_per_s for done in loads]):,.0f}",
        "p50 ms": f"{load.percentile(loads, 50):.1f}",
        "p99 ms": f"{load.percentile(loads, 99):.1f}",
        "most ms": f"{max(max(done.latencies_ms) for done in loads):.1f}",
        "CPU s of the load": f"{sum(done.cpu_s for done in loads):.1f}",
        "stolen": f"{median([done.stolen for done in loads]):.1%}",
    }


def _rows(leg: Leg) -> Iterator[dict[str, object]]:
    """Each round, then what counts, then everything."""
    for done in leg.rounds:
        yield _row(f"{leg.name}, {leg.rate:.0f}/s offered", [done])
    if leg.quiet:
        yield _row(f"{leg.name}, its {len(leg.quiet)} quiet rounds", leg.quiet)
    yield _row(f"{leg.name}, all {len(leg.rounds)} rounds", leg.rounds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tasks", type=int, default=TASKS)
    options.add_argument("--supervisors", type=int, default=SUPERVISORS)
    options.add_argument("--seconds", type=float, default=8, help="of each leg in a round")
    options.add_argument("--rate", type=float, default=RATE, help="requests a second offered")
    options.add_argument("--rounds", type=int, default=5, help="quiet ones that are wanted")
    given = options.parse_args()
    with (
        service(given.tasks, given.supervisors) as here,
        tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder,
    ):
        script = Path(folder) / "list.sql"
        script.write_text(list_query(here.address, len(here.supervisors)))
        legs = _offered(here, script, given.seconds, given.rate, given.rounds)
        ours, bare = _against_pgbench(here, script, given.seconds, given.rounds)
    rows = [row for leg in legs for row in _rows(leg)]
    rows += [_row("list, as many as it takes", [done]) for done in ours]
    rows += [_row("pgbench, as many as it takes", [done]) for done in bare]
    p99_ms = {
        f"{leg.name}_p99_ms": round(load.percentile(leg.quiet, 99), 1) if leg.quiet else None
        for leg in legs
    }
    of_all = {leg.name: load.percentile(leg.rounds, 99) for leg in legs}
    ratios = [
        one.requests_per_s / other.requests_per_s for one, other in zip(ours, bare, strict=True)
    ]
    figures = {
        **p99_ms,
        "list_p99_to_pgbench": round(of_all["list"] / of_all["pgbench"], 2),
        "requests_per_s": round(median([one.requests_per_s for one in ours])),
        "ratio_to_pgbench": round(median(ratios), 2),
    }
    tell(
        f"Service before about {given.tasks:,} open tasks of {given.supervisors:,} supervisors, "
        f"{load.CONNECTIONS} connections",
        rows,
        figures,
    )


if __name__ == "__main__":
    main()
