"""The command `worklist`: reads the environment and composes the parts.

Data goes to stdout, everything else to stderr. Exit codes: 0 success, 1 failure, 2 wrong usage or
settings.
"""

import contextlib
import io
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from pipeline import database, status, steps
from pipeline.continuous import Cycle
from pipeline.errors import SettingsWrong, WorklistError
from pipeline.settings import Settings
from pipeline.sync.longpoll import LongPoll
from pipeline.tasks import run as tasks_run
from pipeline.terminal import end_bars, log, print_table
from pipeline.worklist import store as worklist_store
from pipeline.worklist.explain import explanation
from pipeline.writeback import outbox_commands
from pipeline.writeback.rules import State

_OVERRIDING = ("PGDATESTYLE", "PGTZ")  # libpq applies these over the settings of `database`
_IN_UTF_16_ONLY = "\0"
_SECONDS_BETWEEN_CYCLES = 1.0
_TASK_COLUMNS = {  # field by heading
    "patient": "patient_name",
    "number": "patient_id",
    "phone": "phone",
    "area": "area_name",
    "appointment": "appointment_on",
    "days since": "days_since_appointment",
    "closes": "closes_on",
    "flags": "flags",
}
_FORMAT = click.option(
    "--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True
)


class _Commands(click.Group):
    """Logs our errors as a sentence each and sets the exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SettingsWrong as error:
            log(str(error))
            context.exit(2)
        except WorklistError as error:
            log(str(error))
            context.exit(1)
        except KeyboardInterrupt:
            end_bars()
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cht-worklist", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Tasks for the online users of the Community Health Toolkit.

    Settings are read from the environment and from a .env file in the current folder; .env.example
    lists them.
    """
    for terminating in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(terminating, signal.default_int_handler)
    for name in _OVERRIDING:
        os.environ.pop(name, None)
    context.obj = Settings.read({**_env_file(Path(".env")), **os.environ}, warn=log)


def _env_file(path: Path) -> dict[str, str]:
    """The variables in a .env file, which need not exist; errors never repeat its content."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsWrong(
            f"{path.resolve()} cannot be read ({error.strerror}): make it a file that this "
            "account may read."
        ) from error
    except UnicodeDecodeError:
        text = _IN_UTF_16_ONLY
    if _IN_UTF_16_ONLY in text:
        raise SettingsWrong(f"{path.resolve()} is not in UTF-8: save it again in that encoding.")
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise SettingsWrong(
                f"Line {binding.original.line} of {path.resolve()} is not NAME=VALUE: correct it, "
                "or put a # in front of it."
            )
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}


@main.command("migrate")
@click.pass_obj
def migrate_command(settings: Settings) -> None:
    """Create or update the tables and the grants of the roles.

    Statements that the account may not run are printed as SQL for an administrator of PostgreSQL.
    """
    with steps.open_database(settings, must_be_current=False, may_be_made=True) as address:
        refused = steps.migrate(settings, address)
    log("The database is up to date.")
    if refused:
        log(
            f"The account {address.user} may not set up all roles: have an administrator run "
            f"these statements in the database {address.database}, then run `worklist migrate` "
            "again."
        )
        click.echo("\n".join(refused))


@main.group("sync", invoke_without_command=True)
@click.option("--once", "mode", flag_value="once", default="once", help="Stop when caught up.")
@click.option("--follow", "mode", flag_value="follow", help="Keep following changes.")
@click.pass_context
def sync_command(context: click.Context, mode: str) -> None:
    """Copy the CHT's documents into PostgreSQL."""
    if context.invoked_subcommand is not None:
        return
    settings: Settings = context.obj
    with steps.open_database(settings) as address, steps.open_cht(settings) as client:
        if mode == "once":
            steps.sync(settings, address, client, patience_seconds=settings.patience_seconds)
        else:
            steps.follow(settings, address, client)


@sync_command.command("reconcile")
@click.pass_obj
def reconcile_command(settings: Settings) -> None:
    """Repair what differs from the CHT's list of documents."""
    with steps.open_database(settings) as address, steps.open_cht(settings) as client:
        steps.reconcile(settings, address, client)


@sync_command.command("retry")
@click.pass_obj
def retry_command(settings: Settings) -> None:
    """Try again to store the documents that were set aside."""
    with steps.open_database(settings) as address:
        steps.retry_set_aside(settings, address)


@main.command("refresh")
@click.pass_obj
def refresh_command(settings: Settings) -> None:
    """Read tasks.yml and update the live tables."""
    with (
        steps.open_database(settings, must_be_current=False) as address,
        steps.open_dbt(settings, address) as running_dbt,
    ):
        steps.check_current(settings, address)  # while dbt starts, which takes seconds
        steps.refresh(settings, address, running_dbt, "live")


@main.command("publish")
@click.pass_obj
def publish_command(settings: Settings) -> None:
    """Check the invariants, then update the published marts."""
    with steps.open_database(settings) as address, steps.open_dbt(settings, address) as running_dbt:
        steps.refresh(settings, address, running_dbt, "published")


@main.group("write-back", invoke_without_command=True)
@click.option("--once", "mode", flag_value="once", default="once", help="Send what is due now.")
@click.option("--follow", "mode", flag_value="follow", help="Keep sending.")
@click.pass_context
def write_back_command(context: click.Context, mode: str) -> None:
    """Send accepted verifications to the CHT."""
    if context.invoked_subcommand is not None:
        return
    settings: Settings = context.obj
    with steps.open_database(settings) as address, steps.open_cht(settings) as client:
        if mode == "once":
            steps.write_back(settings, address, client)
        else:
            with contextlib.suppress(KeyboardInterrupt):
                steps.follow_outbox(settings, address, client, threading.Event())


@write_back_command.command("list")
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in State]),
    multiple=True,
    help="Only this state; may be repeated. Default: all that are not finished.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Maximum number of reports.",
)
@_FORMAT
@click.pass_obj
def outbox_list_command(
    settings: Settings, states: tuple[str, ...], limit: int, output: str
) -> None:
    """List the reports in the outbox, oldest first."""
    with steps.open_database(settings) as address, database.connect(address) as connection:
        rows = outbox_commands.rows(
            connection, [State(state) for state in states or outbox_commands.UNFINISHED], limit
        )
    if output == "json":
        click.echo(_json(rows))
    else:
        print_table(rows, outbox_commands.COLUMNS)


@write_back_command.command("show")
@click.argument("report")
@click.pass_obj
def outbox_show_command(settings: Settings, report: str) -> None:
    """Show a report and all that is known about it.

    The output contains names.
    """
    with steps.open_database(settings) as address, database.connect(address) as connection:
        click.echo(_json(outbox_commands.row(connection, report)))


@write_back_command.command("retry")
@click.argument("reports", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Retry every refused report.")
@click.pass_obj
def outbox_retry_command(settings: Settings, reports: tuple[str, ...], is_all: bool) -> None:
    """Retry refused reports; send waiting ones at once."""
    if is_all == bool(reports):
        raise click.UsageError("Give the ids of reports, or --all, but not both.")
    with steps.open_database(settings) as address, database.connect(address) as connection:
        count = outbox_commands.retry(connection, list(reports))
    log(f"Reports to be sent: {count}.")


@write_back_command.command("drop")
@click.argument("report")
@click.option("--reason", help="Why; kept with the report. Default: ask for it.")
@click.pass_obj
def outbox_drop_command(settings: Settings, report: str, reason: str | None) -> None:
    """Give up a report: it is never sent, and its task opens again."""
    with steps.open_database(settings) as address:
        with database.connect(address) as connection:
            outbox_commands.check_not_sent(connection, report)
        if reason is None:
            reason = click.prompt("Why should this report not be sent", err=True)
        if not reason.strip():
            raise click.UsageError("Give a reason: --reason TEXT.")
        with database.connect(address) as connection:
            outbox_commands.drop(connection, report, reason.strip(), database.now(connection))
    log(f"Report {report} will not be sent. It is kept in the outbox, and its task is open again.")


@main.command("nightly")
@click.pass_obj
def nightly_command(settings: Settings) -> None:
    """Run every step once, for cron.

    Syncs, writes back, reconciles, refreshes and publishes. A step that fails does not stop the
    others; the last line names those that failed.
    """
    with (
        steps.open_database(settings) as address,
        steps.open_cht(settings) as client,
        steps.open_dbt(settings, address) as running_dbt,
    ):
        patience = settings.patience_seconds
        sync = partial(steps.sync, settings, address, client, patience_seconds=patience)
        write_back = partial(steps.write_back, settings, address, client)
        refresh = partial(steps.refresh, settings, address, running_dbt)
        night = _Night()
        is_synced = not settings.is_synced_by_couch2pg and night.succeeds("sync", sync)
        is_written = night.succeeds("write back", write_back)
        is_fetched = False
        if is_synced and is_written:
            log("Syncing again, to fetch reports that were sent meanwhile.")
            is_fetched = night.succeeds("sync", sync)
        reconcile = partial(steps.reconcile, settings, address, client)
        is_fetched = night.succeeds("reconcile", reconcile) or is_fetched
        if is_written and is_fetched:
            log("Writing back again, to confirm reports that have been fetched.")
            night.succeeds("write back", write_back)
        night.succeeds("refresh live", partial(refresh, "live"))
        night.succeeds("refresh published", partial(refresh, "published"))
        night.end()


class _Night:
    """Runs steps, and logs an error once, however many steps it stops."""

    def __init__(self) -> None:
        self._errors: dict[str, WorklistError] = {}

    def succeeds(self, name: str, step: Callable[[], object]) -> bool:
        try:
            step()
        except WorklistError as error:
            if str(error) not in map(str, self._errors.values()):
                log(str(error))
            self._errors[name] = error
            return False
        return True

    def end(self) -> None:
        """Names the steps that failed, if any, and sets the exit code."""
        if self._errors:
            log(f"Failed: {', '.join(self._errors)}.")
            are_settings_wrong = any(isinstance(e, SettingsWrong) for e in self._errors.values())
            raise click.exceptions.Exit(2 if are_settings_wrong else 1)


@main.command("run")
@click.pass_obj
def run_command(settings: Settings) -> None:
    """Keep everything up to date until interrupted.

    Syncs, writes back and refreshes as things change, publishes every hour, and reconciles with the
    CHT once a day.
    """
    with (
        steps.open_database(settings) as address,
        steps.open_cht(settings) as client,
        steps.open_dbt(settings, address) as running_dbt,
    ):
        long_poll, changed = LongPoll(client), threading.Event()
        sync = (
            steps.changes_of_couch2pg(settings, address, changed)
            if settings.is_synced_by_couch2pg
            else lambda: steps.sync_changed(settings, address, client, long_poll, changed)
        )
        cycle = Cycle(
            changed=changed,
            sync=sync,
            write_back=lambda: steps.write_back_in_cycle(settings, address, client),
            refresh=lambda: steps.refresh(settings, address, running_dbt, "live", quiet=True),
            publish=lambda: steps.refresh(settings, address, running_dbt, "published", quiet=True),
            reconcile=lambda: steps.reconcile(settings, address, client, quiet=True),
            clock=lambda: datetime.now(UTC),
            log=log,
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                cycle.run_once()
                time.sleep(_SECONDS_BETWEEN_CYCLES)


@main.command("serve")
@click.pass_obj
def serve_command(settings: Settings) -> None:
    """Serve the worklist to supervisors.

    Each verification is sent to the CHT at once. While the CHT is down, verifications wait and the
    page keeps working. Other write-backs may run at the same time.
    """
    from pipeline import serve

    with steps.open_database(settings) as address:
        serve.serve(settings, address, announce=log)


@main.group("tasks", invoke_without_command=True)
@click.option("--user", "user_name", help="User name of the supervisor.")
@_FORMAT
@click.pass_context
def tasks_command(context: click.Context, user_name: str | None, output: str) -> None:
    """List the open tasks that a supervisor sees."""
    if context.invoked_subcommand is not None:
        return
    if not user_name:
        raise click.UsageError("Give the user name of a supervisor: --user NAME.")
    settings: Settings = context.obj
    with steps.open_database(settings) as address, database.translated(address):
        engine = database.engine(address)
        with engine.connect() as connection:
            viewer = worklist_store.viewer(connection, user_name, settings.programme_roles)
            rows = [msgspec.to_builtins(task) for task in worklist_store.tasks(connection, viewer)]
        engine.dispose()
    if output == "json":
        click.echo(_json(rows))
    else:
        shown = [{heading: row[name] for heading, name in _TASK_COLUMNS.items()} for row in rows]
        print_table(shown, list(_TASK_COLUMNS))


@tasks_command.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def check_command(settings: Settings, file: Path | None) -> None:
    """Check a tasks.yml for errors.

    Also warns of forms, roles and contact types that are not in the CHT's data.
    """
    path = file or settings.tasks_file
    text, documents = steps.read_tasks_file(path), steps.landing(settings).documents
    with (
        steps.open_any_database(settings) as address,
        database.connect(address) as connection,
    ):
        programme = tasks_run.check(connection, text, path.name)
        warnings = tasks_run.find_unknown_names(connection, text, documents)
    for warning in warnings or ():
        log(f"{path.name}:{warning.line}: warning: {warning.sentence}")
    if warnings is None:
        log(
            f"{path.name}: its forms, roles and contact types were not checked, since no documents "
            "of the CHT can be read here: run `worklist sync --once` first."
        )
    counted = "" if warnings is None else f", warnings: {len(warnings)}"
    log(f"{path.name} is valid (task definitions: {len(programme.tasks)}{counted}).")


@tasks_command.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="TASK_OR_PATIENT")
@click.pass_obj
def explain_command(settings: Settings, words: tuple[str, ...]) -> None:
    """Explain the state of a task, or why there is none.

    TASK_OR_PATIENT is the id or UUID of a task, the id of a document, or a patient's number or
    name. The output contains names.
    """
    with steps.open_database(settings) as address, database.connect(address) as connection:
        found = explanation(connection, " ".join(words))
    click.echo("\n\n".join("\n".join(sentences) for sentences in found))


@main.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status_command(settings: Settings, as_json: bool) -> None:
    """Show what is fresh, what waits and what needs attention.

    The exit code is 1 if anything needs attention.
    """
    with steps.open_database(settings) as address, database.connect(address) as connection:
        report = status.read(
            connection,
            steps.landing(settings),
            steps.sources(settings),
            steps.database_description(settings),
        )
    click.echo(_json(report) if as_json else status.text(report))
    if report["needs_attention"]:
        raise click.exceptions.Exit(1)


@main.command("simulate")
@click.option(
    "--feed",
    type=click.Path(path_type=Path),
    help="A recorded changes feed. Default: an invented programme.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5984,
    show_default=True,
    help="Port on 127.0.0.1; 0 for any free one.",
)
@click.option(
    "--password",
    default="password",
    show_default=True,
    help="Password of the users; that of the administrator medic is always `password`.",
)
@click.pass_obj
def simulate_command(settings: Settings, feed: Path | None, port: int, password: str) -> None:
    """Start a simulated CHT to try things out.

    With the default port and password, an unchanged .env.example fits it.
    """
    from testbed.invented_programme import programme
    from testbed.simulated_cht import server

    users = "medic and each user of the feed" if feed else f"medic, {programme.FIRST_SUPERVISOR} …"
    log(f"The users of the simulated CHT ({users}) have the password {password}.")
    server.serve(feed, "127.0.0.1", port, password, _moment(settings), announce=log)


@main.command("demo")
@click.pass_obj
def demo_command(settings: Settings) -> None:
    """Try everything on invented data: CHT, database and worklist."""
    from pipeline import demo
    from testbed.invented_programme import programme

    folder = Path.cwd() / ".worklist-demo"
    with contextlib.suppress(KeyboardInterrupt):
        demo.run(folder, settings.service_port, programme.FIRST_SUPERVISOR, log)


def _moment(settings: Settings) -> datetime:
    """The current time, or that of WORKLIST_NOW; a bare day means noon, UTC."""
    if settings.now is None:
        return datetime.now(UTC)
    moment = datetime.fromisoformat(settings.now)
    return moment if moment.tzinfo else moment.replace(hour=12, tzinfo=UTC)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


if __name__ == "__main__":
    main(prog_name="worklist")
