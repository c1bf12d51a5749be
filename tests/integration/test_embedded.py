"""The embedded PostgreSQL: there when needed, gone with its last user, nothing lost on the way."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psycopg
import pytest

from pipeline import embedded
from pipeline.errors import SettingsWrong

OPERATORS = Path(__file__).parents[2] / "docs" / "operators.md"


def _connect(server: embedded.Server) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=server.database,
        autocommit=True,
    )


def test_the_first_starts_it_and_the_last_stops_it(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as first:
        with embedded.running(tmp_path) as second:
            assert second == first
        with _connect(first) as connection:
            assert connection.execute("show server_version_num").fetchone() == ("180006",)
    with pytest.raises(psycopg.OperationalError):
        _connect(first)


def test_psql_connects_as_the_operators_page_says(tmp_path: Path) -> None:
    (command,) = re.findall(r"^    (PGPASSWORD=.*)$", OPERATORS.read_text(), re.MULTILINE)
    with embedded.running(tmp_path / ".worklist" / "postgres"):
        answered = subprocess.run(
            ["sh", "-c", f"{command} -Atc 'select current_user'"],
            cwd=tmp_path,
            env={"PATH": f"{embedded.BINARIES}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
    assert (answered.stdout, answered.stderr) == ("worklist\n", "")


def test_it_keeps_its_port_while_nobody_else_takes_it(tmp_path: Path) -> None:
    ports = []
    for _ in range(2):
        with embedded.running(tmp_path) as server:
            ports.append(server.port)
    assert ports[0] == ports[1]
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", ports[0]))
        squatter.listen()
        with embedded.running(tmp_path) as server, _connect(server):
            assert server.port != ports[0]


def test_it_runs_in_a_folder_that_nobody_else_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with embedded.running(closed / "postgres") as server, _connect(server) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert (closed / "postgres").stat().st_mode & 0o077 == 0


def test_what_was_committed_outlives_a_kill(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as server:
        with _connect(server) as connection:
            connection.execute("create table kept as select 42 as answer")
        postmaster = int((tmp_path / "postgres" / "postmaster.pid").read_text().split()[0])
        # stopped first: for half a second its port takes connections that nobody answers
        os.kill(postmaster, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (postmaster, signal.SIGKILL)).start()
        with embedded.running(tmp_path) as again, _connect(again) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)


def test_strangers_need_the_password(tmp_path: Path) -> None:
    with embedded.running(tmp_path) as server, pytest.raises(psycopg.OperationalError):
        psycopg.connect(
            host="127.0.0.1",
            port=server.port,
            user=server.user,
            password="guessed",
            dbname=server.database,
        )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SettingsWrong, match="WORKLIST_HOME"),
        embedded.running(tmp_path / "file" / "postgres"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")
def test_root_without_user_namespaces_falls_back_to_nobody(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import shutil, sys
        from pathlib import Path
        import psycopg
        from pipeline import embedded
        with embedded.running(Path(sys.argv[1])) as server:
            with psycopg.connect(host="127.0.0.1", port=server.port, user=server.user,
                                 password=server.password, dbname=server.database) as connection:
                (where,) = connection.execute("show data_directory").fetchone()
        print(where)
        shutil.rmtree(Path(where).parents[1])
    """)
    # no `unshare` on the path: the namespaces are forbidden as far as we can tell
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("/var/lib/cht-worklist-")
