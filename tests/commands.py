"""The command `worklist` as an operator calls it: a process of its own with its own settings."""

import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from pipeline.cli import main
from pipeline.database import Address
from tests.forkserver import PROCESSES
from tests.waiting import LONG

NOW = "2026-11-20"
_COMMAND = (sys.executable, "-m", "pipeline.cli")


@dataclass(frozen=True)
class Worklist:
    """The command in a folder, with these settings and no others."""

    environment: Mapping[str, str]
    folder: Path

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the command to its end."""
        with TemporaryDirectory() as written:
            stdout, stderr = Path(written, "stdout"), Path(written, "stderr")
            process = PROCESSES.Process(
                target=_run,
                args=(arguments, dict(self.environment), self.folder, (stdout, stderr)),
            )
            process.start()
            process.join(LONG)
            if process.exitcode is None:
                process.kill()
                raise TimeoutError(f"worklist {' '.join(arguments)} did not end")
            return subprocess.CompletedProcess(
                arguments, process.exitcode, stdout.read_text(), stderr.read_text()
            )

    def must(self, *arguments: str) -> str:
        """What the command prints; the test fails when the command does."""
        done = self(*arguments)
        assert done.returncode == 0, f"worklist {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def started(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command started afresh, not forked."""
        return subprocess.Popen(
            [*_COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of the running service. It must end cleanly; its log goes to our stderr."""
        environment = {**self.environment, "WORKLIST_PORT": str(free_port())}
        process = replace(self, environment=environment).started("serve")
        try:
            assert process.stderr is not None
            announced = re.search(r"http://\S+", process.stderr.readline())
            assert announced, "worklist serve did not start"
            yield announced.group()
        finally:
            process.terminate()
            _, said = process.communicate(timeout=LONG)
            sys.stderr.write(said)
        assert process.returncode == 0


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, outputs: Sequence[Path]
) -> None:
    """In a process that was forked: becomes the command."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    for descriptor, output in enumerate(outputs, start=1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), descriptor)
    main(arguments, prog_name="worklist")


def free_port() -> int:
    """Not of those that the system may give to a connection before it is used."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def home_of(address: Address, folder: Path) -> Path:
    """WORKLIST_HOME for this database, where dbt keeps what it parsed for it."""
    return folder / f"{address.database}-{address.user}"


def worklist_for(address: Address, cht_url: str, folder: Path) -> Worklist:
    """The command on this database and this CHT, at the moment of the recording."""
    cht = httpx.URL(cht_url)
    settings = {
        "COUCHDB_HOST": cht.host,
        "COUCHDB_PORT": str(cht.port),
        "COUCHDB_USER": "worklist",
        "COUCHDB_PASSWORD": "password",
        "POSTGRES_HOST": address.host,
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": address.user,
        "POSTGRES_PASSWORD": address.password,
        "POSTGRES_DB": address.database,
        "WORKLIST_HOME": str(home_of(address, folder)),
        "WORKLIST_INSTANCE": "recorded",
        "WORKLIST_NOW": NOW,
        "WORKLIST_PATIENCE": "1",
    }
    return Worklist({"PATH": os.environ["PATH"], "HOME": str(folder), **settings}, folder)
