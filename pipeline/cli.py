"""The command `worklist`: reads the environment, puts the parts together, prints, exits.

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 it failed, 2 the call or the
settings are wrong.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from dotenv import dotenv_values

from pipeline import database, embedded, migrate, status
from pipeline.cht.client import ChtClient
from pipeline.cht.identity import Identity, sign_in
from pipeline.continuous import Cycle
from pipeline.database import Address
from pipeline.errors import SettingsWrong, WorklistError
from pipeline.refresh import dbt
from pipeline.refresh import run as refreshing
from pipeline.settings import Settings
from pipeline.sync import run as syncing
from pipeline.sync.store import Landing
from pipeline.tasks import run as defining
from pipeline.terminal import Lines, say, table
from pipeline.worklist import store as worklist_store
from pipeline.writeback import run as writing
from pipeline.writeback import store as outbox_store

_SECONDS_BETWEEN_TURNS = 1.0
_TASK_COLUMNS = (
    "patient_name",
    "patient_id",
    "phone",
    "area_name",
    "appointment_on",
    "days_since_appointment",
    "closes_on",
    "flags",
)


class _Commands(click.Group):
    """Turns our errors into one sentence and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SettingsWrong as error:
            say(str(error))
            context.exit(2)
        except WorklistError as error:
            say(str(error))
            context.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Tasks for the online users of the Community Health Toolkit.

    Settings come from the environment and from a file .env in the current folder; .env.example
    lists them.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    environment = {name: value or "" for name, value in dotenv_values(".env").items()}
    context.obj = Settings.read({**environment, **os.environ})


@main.command("migrate")
@click.pass_obj
def migrate_command(settings: Settings) -> None:
    """Create or update the tables of the landing and the service."""
    with _database(settings, must_be_current=False) as address:
        _migrate(settings, address)
    say("The database is up to date.")


@main.command("sync")
@click.option("--once", "mode", flag_value="once", default="once", help="Until caught up.")
@click.option("--follow", "mode", flag_value="follow", help="Go on for ever.")
@click.pass_obj
def sync_command(settings: Settings, mode: str) -> None:
    """Copy the CHT's documents into PostgreSQL."""
    with _database(settings) as address, _cht(settings) as client:
        if mode == "once":
            _sync(settings, address, client)
        else:
            _follow(settings, address)


@main.command("refresh")
@click.pass_obj
def refresh_command(settings: Settings) -> None:
    """Bring the live tables up to date, after reading tasks.yml."""
    with _database(settings) as address, _dbt(settings, address) as running_dbt:
        _refresh(settings, address, running_dbt, "live")


@main.command("publish")
@click.pass_obj
def publish_command(settings: Settings) -> None:
    """Check the invariants and bring the published marts up to date."""
    with _database(settings) as address, _dbt(settings, address) as running_dbt:
        _refresh(settings, address, running_dbt, "published")


@main.command("write-back")
@click.option("--once", is_flag=True, default=True, help="What is due now.")
@click.pass_obj
def write_back_command(settings: Settings, once: bool) -> None:  # noqa: ARG001
    """Send accepted verifications to the CHT."""
    with _database(settings) as address, _cht(settings) as client:
        _write_back(settings, address, client)


@main.command("nightly")
@click.pass_obj
def nightly_command(settings: Settings) -> None:
    """Sync, write back, refresh and publish in one go, for cron.

    A step that fails does not keep the others from doing what can be done without it.
    """
    with (
        _database(settings) as address,
        _cht(settings) as client,
        _dbt(settings, address) as running_dbt,
    ):
        steps: list[Callable[[], object]] = [
            lambda: _sync(settings, address, client),
            lambda: _write_back(settings, address, client),
            lambda: _sync(settings, address, client),
            lambda: _refresh(settings, address, running_dbt, "live"),
            lambda: _refresh(settings, address, running_dbt, "published"),
            lambda: _write_back(settings, address, client),
        ]
        if failures := [error for step in steps if (error := _failure(step))]:
            raise failures[0]


def _failure(step: Callable[[], object]) -> WorklistError | None:
    try:
        step()
    except WorklistError as error:
        say(str(error))
        return error
    return None


@main.command("run")
@click.pass_obj
def run_command(settings: Settings) -> None:
    """Keep everything fresh until stopped: sync, write back, refresh, publish each hour."""
    with (
        _database(settings) as address,
        _cht(settings) as client,
        _dbt(settings, address) as running_dbt,
    ):
        cycle = Cycle(
            sync=lambda: _sync(settings, address, client, quiet=True),
            write_back=lambda: _write_back(settings, address, client, quiet=True),
            refresh=lambda: _refresh(settings, address, running_dbt, "live", quiet=True),
            publish=lambda: _refresh(settings, address, running_dbt, "published", quiet=True),
            clock=lambda: datetime.now(UTC),
            say=say,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                cycle.turn()
                time.sleep(_SECONDS_BETWEEN_TURNS)


@main.command("serve")
@click.pass_obj
def serve_command(settings: Settings) -> None:
    """Show the worklist and take verifications."""
    from pipeline.service import server

    with _database(settings) as address:
        engine = database.engine(address)
        try:
            server.serve(
                engine,
                _sign_in(settings),
                outbox_store.enqueue,
                settings.programme_roles,
                host=settings.service_host,
                port=settings.service_port,
                announce=say,
            )
        finally:
            engine.dispose()


@main.group("tasks", invoke_without_command=True)
@click.option("--user", "user_name", help="The supervisor, by user name.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_context
def tasks_command(context: click.Context, user_name: str | None, form: str) -> None:
    """Print the open tasks that a supervisor sees."""
    if context.invoked_subcommand is not None:
        return
    if not user_name:
        raise click.UsageError("Say whose tasks: --user NAME.")
    settings: Settings = context.obj
    with _database(settings) as address, database.translated(address):
        engine = database.engine(address)
        with engine.connect() as connection:
            viewer = worklist_store.viewer(connection, user_name, settings.programme_roles)
            rows = [msgspec.to_builtins(task) for task in worklist_store.tasks(connection, viewer)]
        engine.dispose()
    if form == "json":
        click.echo(_json(rows))
    else:
        click.echo(table(rows, _TASK_COLUMNS))


@tasks_command.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def check_command(settings: Settings, file: Path | None) -> None:
    """Tell everything that is wrong with a tasks.yml."""
    path = file or settings.tasks_file
    with (
        _database(settings, must_be_current=False) as address,
        database.connect(address) as connection,
    ):
        programme = defining.check(connection, _read(path), path.name)
    say(f"{path.name}: {len(programme.tasks)} task definitions, nothing wrong.")


@main.command("status")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_obj
def status_command(settings: Settings, as_json: bool) -> None:
    """Say how fresh everything is and what waits."""
    with _database(settings) as address, database.connect(address) as connection:
        report = status.read(connection, _landing(settings))
    click.echo(_json(report) if as_json else status.text(report))


@main.command("simulate")
@click.option("--feed", type=click.Path(path_type=Path), help="A recorded feed; else invented.")
@click.option("--port", type=int, default=5984, show_default=True)
@click.option("--password", default="password", help="Of every user of the feed.")
@click.pass_obj
def simulate_command(settings: Settings, feed: Path | None, port: int, password: str) -> None:
    """Start a simulated CHT for trying things out."""
    from pipeline.demo import server

    server.serve(feed, "127.0.0.1", port, password, _moment(settings), announce=say)


@main.command("demo")
@click.pass_obj
def demo_command(settings: Settings) -> None:
    """Everything at once on invented data: CHT, database, worklist."""
    from pipeline.demo import programme, run

    folder = Path.cwd() / ".worklist-demo"
    with contextlib.suppress(KeyboardInterrupt):
        run.demo(folder, settings.service_port, programme.FIRST_SUPERVISOR, say)


@contextlib.contextmanager
def _database(settings: Settings, *, must_be_current: bool = True) -> Iterator[Address]:
    """The operator's PostgreSQL, or the embedded one for as long as it is needed."""
    with _server(settings) as address:
        if must_be_current:
            engine = database.engine(address)
            with database.translated(address), engine.connect() as connection:
                migrate.check_current(connection)
            engine.dispose()
        yield address


@contextlib.contextmanager
def _server(settings: Settings) -> Iterator[Address]:
    given = settings.postgres
    if given.host:
        yield Address(
            given.host, given.port, given.user, given.password, given.database, settings.now
        )
        return
    with embedded.running(settings.home / "postgres") as server:
        yield Address(
            "127.0.0.1", server.port, server.user, server.password, server.database, settings.now
        )


def _cht(settings: Settings) -> ChtClient:
    couch = settings.couch
    return ChtClient(couch.url, couch.user, couch.password)


def _dbt(settings: Settings, address: Address) -> contextlib.AbstractContextManager[dbt.Dbt]:
    names = settings.postgres
    return dbt.running(address, names.schema, names.table, settings.home)


def _landing(settings: Settings) -> Landing:
    return Landing(settings.postgres.schema, settings.postgres.table)


def _sign_in(settings: Settings) -> Any:
    def ask(name: str, password: str, address: str) -> Identity:
        with ChtClient(settings.couch.url) as client:
            return sign_in(client, name, password, address)

    return ask


def _migrate(settings: Settings, address: Address) -> None:
    engine = database.engine(address)
    with database.translated(address), engine.begin() as connection:
        migrate.migrate(connection, settings.postgres)
        migrate.name_instance(
            connection,
            settings.instance or settings.couch.host,
            settings.couch.source(settings.couch.medic),
            database.now(connection),
        )
    engine.dispose()


def _sync(settings: Settings, address: Address, client: ChtClient, quiet: bool = False) -> int:
    """Syncs every database once; returns how many rows were written."""
    written = 0
    for name in settings.couch.databases:
        with database.connect(address, autocommit=True) as connection:
            lines = Lines(f"sync {name}", quiet)
            done = syncing.sync_once(
                client,
                connection,
                _landing(settings),
                settings.couch.source(name),
                name,
                report=lines.progress,
            )
            lines.finish(
                f"{done.read} changes read, {done.written} documents written, "
                f"{done.altered} altered, {done.set_aside} set aside",
                is_worth_telling=done.written > 0,
            )
            written += done.written
    return written


def _follow(settings: Settings, address: Address) -> None:
    """A thread for each database, until one of them fails or Ctrl-C."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(settings.couch.databases)) as threads:
        following = [
            threads.submit(_follow_one, settings, address, name, stop)
            for name in settings.couch.databases
        ]
        try:
            for one in as_completed(following):
                one.result()
        finally:
            stop.set()


def _follow_one(settings: Settings, address: Address, name: str, stop: threading.Event) -> None:
    lines = Lines(f"sync {name}")
    with _cht(settings) as client, database.connect(address, autocommit=True) as connection:
        syncing.follow(
            client,
            connection,
            _landing(settings),
            settings.couch.source(name),
            name,
            stop,
            report=lines.progress,
        )


def _refresh(
    settings: Settings, address: Address, running_dbt: dbt.Dbt, tier: str, quiet: bool = False
) -> None:
    with database.connect(address) as connection:
        if tier == "live":
            path = settings.tasks_file
            defining.store_definitions(connection, _read(path), path.name, database.now(connection))
            connection.commit()
        lines = Lines(f"refresh {tier}", quiet)
        refreshing.refresh(
            connection, running_dbt, tier, lambda: database.now(connection), lines.model
        )
        lines.finish("done")


def _write_back(
    settings: Settings, address: Address, client: ChtClient, quiet: bool = False
) -> writing.Summary:
    with database.connect(address, autocommit=True) as connection:
        done = writing.write_back_once(
            client,
            connection,
            settings.couch.medic,
            _landing(settings).documents,
            settings.couch.source(settings.couch.medic),
        )
    lines = Lines("write back", quiet)
    lines.finish(
        f"{done.sent} sent, {done.confirmed} confirmed, {done.refused} refused, "
        f"{done.withdrawn} withdrawn, {done.put_off} to be tried again",
        is_worth_telling=any((done.sent, done.confirmed, done.refused, done.withdrawn)),
    )
    return done


def _moment(settings: Settings) -> datetime:
    """Now for what has no database to ask: a bare day means its noon, UTC."""
    if settings.now is None:
        return datetime.now(UTC)
    moment = datetime.fromisoformat(settings.now)
    return moment if moment.tzinfo else moment.replace(hour=12, tzinfo=UTC)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsWrong(f"{path} cannot be read: {error}. WORKLIST_TASKS names it.") from error


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


if __name__ == "__main__":
    main(prog_name="worklist")
