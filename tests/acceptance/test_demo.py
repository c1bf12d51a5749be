"""`make demo` as a newcomer sees it: one command, an answer's whole way, Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.commands import free_port
from tests.waiting import LONG, wait_until

PROJECT = Path(__file__).parents[2]


@contextmanager
def demo(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "demo"],
        cwd=folder,
        # names a CHT and a database that are not there: a demo must not ask
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "WORKLIST_PORT": str(port),
            "COUCHDB_HOST": "operators.example",
            "POSTGRES_HOST": "operators.example",
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONG)


def _said_until_ready(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    return "".join(lines)


def _after(text: str, label: str) -> str:
    return text.split(label, 1)[1].split()[0]


def _processes_in(folder: Path) -> list[str]:
    """What still runs from this folder, by its working folder or its command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = os.readlink(process / "cwd")  # noqa: PTH115 - may vanish meanwhile
        except OSError:
            continue
        if str(folder) in command or where.startswith(str(folder)):
            found.append(command)
    return found


def test_one_command_shows_a_list_takes_an_answer_and_starts_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    with demo(tmp_path, port) as process:
        said = _said_until_ready(process)
        url = _after(said, "is at")
        credentials = {
            "name": _after(said, "Sign in as"),
            "password": _after(said, "with password"),
        }
        with httpx.Client(base_url=url, headers={"Origin": url}) as client:
            assert client.post("/sign-in", data=credentials).status_code == 303
            page = client.get("/", follow_redirects=True).raise_for_status()
            tasks = client.get("/api/v1/tasks?limit=200").raise_for_status().json()["tasks"]
            assert len(tasks) > 90
            assert tasks[0]["patient_name"] in page.text
            answered = client.post(
                f"/api/v1/tasks/{tasks[0]['task_uuid']}/verification",
                headers={"Idempotency-Key": "demo", "Content-Type": "application/json"},
                content=b'{"outcome": "visited", "follows_round": 0}',
            )
            assert answered.status_code == 201
            left = client.get("/api/v1/tasks?limit=200").json()["tasks"]
            assert tasks[0]["task_id"] not in {task["task_id"] for task in left}
            wait_until(lambda: _is_confirmed(client))
        busy = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "demo"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "WORKLIST_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert busy.returncode == 2
        assert busy.stderr.strip() == f"Port {port} is in use: set WORKLIST_PORT to a free one."
    assert process.returncode == 0
    assert _processes_in(tmp_path) == []

    with demo(tmp_path, port) as process:
        assert "Sign in as" in _said_until_ready(process)
    assert _processes_in(tmp_path) == []


def _is_confirmed(client: httpx.Client) -> bool:
    (row,) = client.get("/api/v1/verifications").raise_for_status().json()["verifications"]
    return bool(row["delivery"] == "confirmed")
