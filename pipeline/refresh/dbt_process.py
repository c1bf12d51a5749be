"""dbt in a process of its own, which may stay for many runs.

dbt reads its settings from the environment and cannot run twice at once in one process, hence a
child process with its own environment. The two exchange JSON lines: a request is a list of dbt's
arguments; the answers are events and, last, the outcome.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from pipeline.database import Address, connect
from pipeline.errors import Unavailable
from pipeline.packaged_files import DBT_PROJECT
from pipeline.refresh import store

Report = Callable[[str, str, int, int], None]
_SORT_IN_MEMORY = "-c work_mem=64MB"  # what a full refresh sorts and joins


@dataclass(frozen=True)
class Outcome:
    """The result of a run; `failed` holds each failed model or test with dbt's message."""

    is_success: bool
    failed: tuple[tuple[str, str], ...]


class Dbt:
    """A resident dbt process."""

    def __init__(self, project: Path, requests: IO[str], answers: IO[str]) -> None:
        self.project = project
        self._requests = requests
        self._answers = answers

    def run(self, arguments: list[str], report: Report) -> Outcome:
        """Runs `dbt <arguments>`, calling `report` after each model or test with its name, status,
        position and the total.

        Raises Unavailable when the process has ended.
        """
        try:
            self._requests.write(json.dumps(arguments) + "\n")
            self._requests.flush()
        except BrokenPipeError as error:
            raise Unavailable("The dbt process ended before its work was done.") from error
        for line in self._answers:
            answer = json.loads(line)
            if "name" in answer:
                report(answer["name"], answer["status"], answer["done"], answer["total"])
            else:
                return Outcome(answer["success"], tuple(map(tuple, answer["failed"])))
        raise Unavailable("The dbt process ended before its work was done.")


@contextlib.contextmanager
def running(
    address: Address, schema: str, table: str, folder: Path, project: Path = DBT_PROJECT
) -> Iterator[Dbt]:
    """A dbt for this database and landing; its artefacts go below `folder`."""
    with connect(address) as connection:
        address = replace(address, role=store.role_to_act_as(connection))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline.refresh.dbt_process"],
        env=_environment(address, schema, table, folder, project),
        cwd=DBT_PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    requests, answers = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
    try:
        yield Dbt(project, requests, answers)
    finally:
        with contextlib.suppress(BrokenPipeError):
            requests.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        answers.close()


def project_hash(project: Path) -> str:
    """Changes with everything that dbt builds from."""
    digest = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        is_definition = path.name == "tasks.yml" or path.parent.name == "examples"
        if path.suffix in {".sql", ".yml", ".md"} and not is_definition:
            digest.update(path.relative_to(project).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _environment(
    address: Address, schema: str, table: str, folder: Path, project: Path
) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        # about semaphores, when a child is killed
        "PYTHONWARNINGS": "ignore:resource_tracker",
        "PGOPTIONS": f"{address.options} {_SORT_IN_MEMORY}",
        "WORKLIST_DBT_HOST": address.host,
        "WORKLIST_DBT_PORT": str(address.port),
        "WORKLIST_DBT_USER": address.user,
        "DBT_ENV_SECRET_PASSWORD": address.password,
        "WORKLIST_DBT_DATABASE": address.database,
        "WORKLIST_DBT_LANDING_SCHEMA": schema,
        "WORKLIST_DBT_LANDING_TABLE": table,
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        "DBT_TARGET_PATH": str(folder / "dbt"),
        "DBT_LOG_PATH": str(folder / "dbt"),
        "DBT_LOG_LEVEL": "none",
        "DBT_QUIET": "1",
        "DBT_WRITE_JSON": "0",  # artefacts that nobody reads take a third of a second each time
        "DBT_USE_COLORS": "0",
    }


def _serve() -> None:
    """The child process: runs dbt for each line of stdin."""
    from dbt.cli.main import dbtRunner

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # dbt's own output must not mix with the answers

    def send(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    done, total = 0, 0

    def on_event(event: Any) -> None:
        nonlocal done, total
        if event.info.name == "LogStartLine":
            total = event.data.total
        elif event.info.name == "NodeFinished":
            done, node = done + 1, event.data.node_info
            name, status = node.node_name, node.node_status
            send({"name": name, "status": status, "done": done, "total": total})

    project = Path(os.environ["DBT_PROJECT_DIR"])

    def read_project() -> tuple[dbtRunner, str]:
        """Kept between runs: parsing takes as long as a small refresh."""
        current, reader = project_hash(project), dbtRunner(callbacks=[on_event])
        reader.manifest = cast("Any", reader.invoke(["parse"]).result)
        return reader, current

    runner, known = read_project()  # while the parent is still starting
    for line in sys.stdin:
        if project_hash(project) != known:
            runner, known = read_project()
        done, total = 0, 0
        result = runner.invoke(json.loads(line))
        send({"success": result.success, "failed": _failures(result)})


def _failures(result: Any) -> list[tuple[str, str]]:
    if result.exception is not None:
        return [("dbt", _message(str(result.exception)))]
    nodes = getattr(result.result, "results", None) or []
    return [
        (node.node.name, _message(node.message or ""))
        for node in nodes
        if node.status in {"error", "fail"}
    ]


def _message(text: str) -> str:
    """dbt's message without the rows that it may quote."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]


if __name__ == "__main__":
    _serve()
