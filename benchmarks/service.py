"""The service under load: a million open tasks, five thousand supervisors with 1 to 400 each.

The service is `worklist serve` in a process of its own, the load comes from another. Rounds of each
kind of request alternate, at a pace that leaves the service idle in between; then as many lists as
are answered, alternating with pgbench running the list's statement alone.
"""

import argparse
import http.client
import itertools
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy

from benchmarks import generated_programme, load, servers
from benchmarks.generated_programme import Shape
from benchmarks.load import Call, Load
from benchmarks.measured_legs import median_ratio
from benchmarks.report import print_report
from pipeline import embedded
from pipeline.database import POOL_SIZE, Address, connect, engine, now
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from pipeline.service.dependencies import COOKIE
from pipeline.service.list_view import PAGE_LENGTH
from pipeline.worklist import sessions, store
from pipeline.worklist.records import Filters
from pipeline.worklist.sessions import Session

RATE = 50.0
TASKS, SUPERVISORS = 1_000_000, 5_000
_WARM_UP_SECONDS = 5.0
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
    """A signed-in supervisor of the site of the same number."""

    number: int
    headers: dict[str, str]

    def list(self) -> Call:
        return Call("/api/v1/tasks", self.headers)

    def search(self, randomness: random.Random, size: Shape) -> Call:
        """One of their patients by name, shortcode or phone, as far as people type them."""
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
    """A running service on a database of `size`, with all supervisors signed in."""

    address: Address
    port: int
    size: Shape
    supervisors: Sequence[Supervisor]
    randomness: random.Random

    def lists(self) -> Iterator[Call]:
        return (one.list() for one in self._at_random())

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
                raise SystemExit("No open tasks are left: ask for fewer --seconds or --rounds.")

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
        dbt_process.running(address, "v1", "couchdb", folder) as running_dbt,
    ):
        generated_programme.write(connection, size)
        refresh_run.refresh(
            connection, running_dbt, "live", lambda: now(connection), lambda *_: None
        )
        connection.execute("vacuum analyze")  # as autovacuum would soon
        connection.execute("checkpoint")


def _sign_in(address: Address) -> list[Supervisor]:
    """A session for every supervisor, with the roles and places of their settings document."""
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

    All other parameters are constants in it.
    """
    asking = engine(address)
    with asking.connect() as connection:
        viewer = store.viewer(connection, "supervisor_0", ())
        statement = store.list_statement(viewer, Filters(), "missed", PAGE_LENGTH + 1)
        written = statement.params(store.rights(viewer)).compile(
            asking, compile_kwargs={"literal_binds": True}
        )
    asking.dispose()
    own_site = f"ARRAY['{viewer.facility_uuids[0]}']"
    assert own_site in str(written)  # noqa: S101
    query = str(written).replace(own_site, "array[md5('site' || :site)::uuid::text]")
    return f"\\set site random(0, {supervisors - 1})\n{' '.join(query.split())};\n"


def pgbench(address: Address, script: Path, seconds: float) -> Load:
    """The script over and over; the first second, in which connections plan, does not count."""
    with tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder:
        done = subprocess.run(
            [
                *(str(embedded.BINARIES / "pgbench"), "--no-vacuum", "--protocol=prepared"),
                *(f"--client={POOL_SIZE}", f"--time={round(seconds) + 1}"),
                *(f"--file={script}", "--log", f"--log-prefix={folder}/pgbench"),
                *("--host", address.host, "--port", str(address.port)),
                *("--username", address.user, address.database),
            ],
            env={"PGPASSWORD": address.password, "PGOPTIONS": address.options},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"pgbench failed: {done.stderr.strip()}")
        [log] = Path(folder).iterdir()
        lines = [line.split() for line in log.read_text().splitlines()]
    ended = [int(line[4]) + int(line[5]) / 1e6 for line in lines]
    began, end = min(ended) + 1, max(ended)
    latencies_ms = [
        int(line[2]) / 1000 for line, moment in zip(lines, ended, strict=True) if moment > began
    ]
    return Load(latencies_ms, len(latencies_ms) / (end - began))


def offered(at: Service, rate: float, seconds: float, rounds: int) -> dict[str, list[Load]]:
    """Loads by the kind of request, after a while of each that does not count."""
    kinds = {"list": at.lists(), "search": at.searches(), "verify": at.verifications()}
    loads: dict[str, list[Load]] = {kind: [] for kind in kinds}

    def send(calls: Iterator[Call], seconds: float) -> Load:
        return load.offered(at.port, list(itertools.islice(calls, round(rate * seconds))), rate)

    for calls in kinds.values():
        send(calls, _WARM_UP_SECONDS)
    for _ in range(rounds):
        for kind, calls in kinds.items():
            loads[kind].append(send(calls, seconds))
    return loads


def against_pgbench(at: Service, seconds: float, rounds: int) -> dict[str, list[Load]]:
    """As many lists as are answered, of the service and of pgbench."""
    loads: dict[str, list[Load]] = {"lists": [], "pgbench": []}
    lists = list(itertools.islice(at.lists(), 5_000))
    with tempfile.TemporaryDirectory(prefix="worklist-bench-") as folder:
        script = Path(folder) / "list.sql"
        script.write_text(list_query(at.address, len(at.supervisors)))
        for _ in range(rounds):
            loads["lists"].append(load.saturating(at.port, lists, seconds))
            loads["pgbench"].append(pgbench(at.address, script, seconds))
    return loads


def _tail(loads: list[Load]) -> float:
    return load.percentile(loads, 99) / load.percentile(loads, 50)


def _row(leg: str, loads: Sequence[Load]) -> dict[str, str]:
    return {
        "leg": leg,
        "requests": f"{sum(len(done.latencies_ms) for done in loads):,}",
        "requests/s": f"{median(done.requests_per_s for done in loads):,.0f}",
        "p50 ms": f"{load.percentile(loads, 50):.1f}",
        "p99 ms": f"{load.percentile(loads, 99):.1f}",
        "most ms": f"{max(max(done.latencies_ms) for done in loads):.1f}",
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tasks", type=int, default=TASKS)
    options.add_argument("--supervisors", type=int, default=SUPERVISORS)
    options.add_argument("--seconds", type=float, default=8, help="of each leg in a round")
    options.add_argument("--rate", type=float, default=RATE, help="requests offered a second")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with service(given.tasks, given.supervisors) as running:
        tails = offered(running, given.rate, given.seconds, given.rounds)
        most = against_pgbench(running, given.seconds, given.rounds)
    rates = {leg: [done.requests_per_s for done in loads] for leg, loads in most.items()}
    print_report(
        f"Service with about {given.tasks:,} open tasks of {given.supervisors:,} supervisors, "
        f"{load.CONNECTIONS} connections",
        [
            *(_row(f"{kind}, {given.rate:.0f}/s offered", tails[kind]) for kind in tails),
            *(_row(f"{leg}, as many as are answered", most[leg]) for leg in most),
        ],
        {
            "lists_to_pgbench": round(median_ratio(rates["lists"], rates["pgbench"]), 2),
            **{f"{kind}_tail": round(_tail(loads), 1) for kind, loads in tails.items()},
        },
    )


if __name__ == "__main__":
    main()
