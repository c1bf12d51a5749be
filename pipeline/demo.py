"""Everything at once: a simulated CHT, the pipeline and the service, each a process of its own.

The parts know each other by address only, as in production. Nothing that the operator's
environment names is touched; each demo starts from nothing, in a folder of its own.
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

PASSWORD = "password"  # noqa: S105 - of invented people on this machine
_SECONDS_TO_START = 120.0
_SECONDS_BETWEEN_LOOKS = 0.1
Say = Callable[[str], None]


def run(folder: Path, port: int, supervisor: str, say: Say) -> None:
    """Runs until Ctrl-C; whatever was started is stopped again.

    Raises SettingsWrong when the folder cannot be written or the port is taken, Unavailable when
    a part does not start or ends.
    """
    _check_port(port)
    with _alone(folder), contextlib.ExitStack() as started:
        cht_port = _free_port()
        worklist = _Worklist(folder, _environment(folder, port, cht_port), started)
        say("Starting PostgreSQL and a simulated CHT with an invented programme …")
        started.enter_context(embedded.running(folder / "postgres"))
        cht = worklist.start("simulate", "--port", str(cht_port), "--password", PASSWORD)
        _wait_until_ready(f"http://127.0.0.1:{cht_port}/api/info", [cht])
        worklist.finish("migrate")
        say("Reading the CHT and deriving the worklist …")
        parts = [cht, worklist.start("run"), worklist.start("serve")]
        _wait_until_ready(f"http://127.0.0.1:{port}/ready", parts)
        say(_welcome(port, cht_port, supervisor))
        while all(part.poll() is None for part in parts):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        raise Unavailable("A part of the demo ended by itself; its last words are above.")


@dataclass(frozen=True)
class _Worklist:
    """The command `worklist` as a user would call it, in an environment of the demo's own."""

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

    def finish(self, *arguments: str) -> None:
        process = self.start(*arguments)
        if process.wait() != 0:
            raise Unavailable(f"`worklist {arguments[0]}` failed; its last words are above.")

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
def _alone(folder: Path) -> Iterator[None]:
    """A fresh folder, for one demo at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "demo.lock").open("a")
    except OSError as error:
        raise SettingsWrong(
            f"The folder {folder} cannot be written ({error.strerror}): start the demo elsewhere."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsWrong(f"A demo is running in {folder.parent} already.") from None
        _empty(folder)
        yield


def _empty(folder: Path) -> None:
    """Takes away the last demo's data; a server that outlived its demo is stopped first."""
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
                f"Port {port} is taken: set WORKLIST_PORT to a free one."
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, parts: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Until the address answers 200; Unavailable when a part ends or time is up."""
    for _ in range(int(_SECONDS_TO_START / _SECONDS_BETWEEN_LOOKS)):
        if any(part.poll() is not None for part in parts):
            break
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, headers={"Accept": "application/json"}).status_code == 200:
                return
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    raise Unavailable("A part of the demo did not start; its last words are above.")


def _welcome(port: int, cht_port: int, supervisor: str) -> str:
    return (
        f"\n  CHT Worklist is at  http://127.0.0.1:{port}\n"
        f"  Sign in as          {supervisor}\n"
        f"  with password       {PASSWORD}\n\n"
        f"  The simulated CHT is at http://127.0.0.1:{cht_port} (medic / {PASSWORD}).\n"
        "  Ctrl-C stops everything.\n"
    )


def _environment(folder: Path, port: int, cht_port: int) -> dict[str, str]:
    """Nothing of ours or of cht-sync's from outside, so that no real server is named."""
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
