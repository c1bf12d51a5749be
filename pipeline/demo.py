"""The demo: a simulated CHT, the pipeline and the service, each in its own process.

As in production, they know only each other's addresses. The servers that the operator's
environment names are not used; each demo starts with an empty folder.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from pipeline import embedded
from pipeline.errors import SettingsWrong, Unavailable

PASSWORD = "password"  # noqa: S105 - of invented users on this machine
_SECONDS_TO_START = 120.0
_POLL_SECONDS = 0.1
Log = Callable[[str], None]


def run(folder: Path, port: int, supervisor: str, log: Log) -> None:
    """Runs until Ctrl-C, and stops whatever it has started.

    Raises SettingsWrong if the folder is not writable or the port is in use, Unavailable if a
    part does not start or ends.
    """
    _check_port(port)
    with _empty_folder(folder), contextlib.ExitStack() as started:
        cht_port = _free_port()
        commands = _Commands(folder, _environment(folder, port, cht_port), started)
        log("Starting PostgreSQL and a simulated CHT with an invented programme …")
        started.enter_context(embedded.running(folder / "postgres"))
        cht = commands.start("simulate", "--port", str(cht_port), "--password", PASSWORD)
        _wait_until_ready(f"http://127.0.0.1:{cht_port}/api/info", [cht])
        commands.run("migrate")
        log("Copying the CHT and deriving the worklist …")
        parts = [cht, commands.start("run"), commands.start("serve")]
        _wait_until_ready(f"http://127.0.0.1:{port}/ready", parts)
        log(_welcome(folder, port, cht_port, supervisor))
        while all(part.poll() is None for part in parts):
            time.sleep(_POLL_SECONDS)
        raise Unavailable("A part of the demo has stopped: its last messages are above.")


@dataclass(frozen=True)
class _Commands:
    """Runs `worklist` commands in the environment of the demo."""

    folder: Path
    environment: Mapping[str, str]
    started: contextlib.ExitStack

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            self._command(arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started.callback(_stop, process)
        return process

    def run(self, *arguments: str) -> None:
        process = self.start(*arguments)
        if process.wait() != 0:
            raise Unavailable(f"`worklist {arguments[0]}` failed: its last messages are above.")

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "pipeline.cli", *arguments]


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _empty_folder(folder: Path) -> Iterator[None]:
    """An empty folder, for one demo at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "demo.lock").open("a")
    except OSError as error:
        raise SettingsWrong(
            f"The folder {folder} is not writable ({error.strerror}): use another folder."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsWrong(
                f"Another demo is running in {folder.parent}: stop it first, or use another folder."
            ) from None
        _remove_data(folder)
        yield


def _remove_data(folder: Path) -> None:
    """Removes the data of the last demo, after stopping a server that is still running."""
    data = folder / "postgres"
    if (data / "postgres" / "postmaster.pid").exists():
        with embedded.running(data):
            pass
    shutil.rmtree(data, ignore_errors=True)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SettingsWrong(
                f"Port {port} is in use: set WORKLIST_PORT to a free one."
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, parts: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Returns once the URL answers with 200; raises Unavailable if a part ends or time is up."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and all(part.poll() is None for part in parts):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, headers={"Accept": "application/json"}).status_code == 200:
                return
        time.sleep(_POLL_SECONDS)
    raise Unavailable("A part of the demo did not start: its last messages are above.")


def _welcome(folder: Path, port: int, cht_port: int, supervisor: str) -> str:
    return (
        f"\n  CHT Worklist is at  http://127.0.0.1:{port}\n"
        f"  Sign in as          {supervisor}\n"
        f"  with password       {PASSWORD}\n\n"
        f"  The simulated CHT is at http://127.0.0.1:{cht_port} (medic / {PASSWORD}).\n"
        f"  `worklist status` and other commands need WORKLIST_HOME={folder}.\n"
        "  Ctrl-C stops everything.\n"
    )


def _environment(folder: Path, port: int, cht_port: int) -> dict[str, str]:
    """The current environment without settings, so that no real server is used."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COUCHDB_", "POSTGRES_", "WORKLIST_", "DBT_", "PG"))
        or name == "WORKLIST_NOW"
    }
    return kept | {
        "COUCHDB_HOST": "127.0.0.1",
        "COUCHDB_PORT": str(cht_port),
        "COUCHDB_USER": "worklist",
        "COUCHDB_PASSWORD": PASSWORD,
        "WORKLIST_HOME": str(folder),
        "WORKLIST_INSTANCE": "demo",
        "WORKLIST_PORT": str(port),
    }
