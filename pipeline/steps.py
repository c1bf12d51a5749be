"""The steps of the commands: each connects the parts it needs, does its work and logs a line.

With `cli` the composition root; it reads no environment.
"""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg

from pipeline import database, embedded
from pipeline import migrate as migration_run
from pipeline.adoption import Adoption
from pipeline.cht.client import ChtClient
from pipeline.daemon_threads import run_all
from pipeline.database import Address
from pipeline.errors import Conflict, SettingsWrong, Unavailable, WorklistError
from pipeline.refresh import dbt_process
from pipeline.refresh import run as refresh_run
from pipeline.retry import Retry
from pipeline.settings import Settings
from pipeline.sync import retry_set_aside as set_aside_retry
from pipeline.sync import run as sync_run
from pipeline.sync import store as sync_store
from pipeline.sync.longpoll import LongPoll
from pipeline.sync.reconcile import Reconciliation
from pipeline.sync.store import Landing
from pipeline.tasks import run as tasks_run
from pipeline.terminal import StepProgress, log
from pipeline.writeback import run as write_back_run
from pipeline.writeback import store as outbox_store
from pipeline.writeback.channels import BulkDocs, ReportApi
from pipeline.writeback.outbox_pass import Summary
from pipeline.writeback.rules import API_BACKOFF


@contextlib.contextmanager
def open_database(
    settings: Settings, *, must_be_current: bool = True, may_be_made: bool = False
) -> Iterator[Address]:
    """The operator's PostgreSQL, or the embedded one, which runs until the last command ends.

    Raises SettingsWrong where there is no embedded one and `may_be_made` is false: the command
    may run in the wrong folder.
    """
    if not settings.postgres.host:
        _log_embedded_database(settings, may_be_made)
    with _server(settings) as address:
        if must_be_current:
            check_current(settings, address)
        with database.translated(address):
            yield address


@contextlib.contextmanager
def open_any_database(settings: Settings) -> Iterator[Address]:
    """The operator's PostgreSQL or the embedded one, else a temporary one."""
    if settings.postgres.host or embedded.exists(_embedded_folder(settings)):
        with open_database(settings, must_be_current=False) as address:
            yield address
        return
    with tempfile.TemporaryDirectory() as folder, _embedded(settings, Path(folder)) as address:
        yield address


def database_description(settings: Settings) -> str:
    given = settings.postgres
    if given.host:
        return f"{given.database} at {given.host}:{given.port}"
    return f"embedded, in {settings.home}"


def _log_embedded_database(settings: Settings, may_be_made: bool) -> None:
    if not embedded.exists(_embedded_folder(settings)):
        if not may_be_made:
            raise SettingsWrong(
                f"There is no database in {settings.home}, and POSTGRES_HOST is not set: run this "
                "command in the folder of your .env file, set WORKLIST_HOME to the folder of the "
                "database, or run `worklist migrate` to create a database there."
            )
        log(f"POSTGRES_HOST is not set: creating an embedded PostgreSQL in {settings.home}.")
    elif not settings.is_home_absolute:
        log(f"Using the embedded PostgreSQL in {settings.home}.")


def check_current(settings: Settings, address: Address) -> None:
    with database.translated(address), database.connect(address) as connection:
        migration_run.check_current(connection, settings.postgres)


@contextlib.contextmanager
def _server(settings: Settings) -> Iterator[Address]:
    given = settings.postgres
    if given.host:
        yield Address(
            given.host, given.port, given.user, given.password, given.database, settings.now
        )
        return
    with _embedded(settings, _embedded_folder(settings)) as address:
        yield address


def _embedded_folder(settings: Settings) -> Path:
    return settings.home / "postgres"


@contextlib.contextmanager
def _embedded(settings: Settings, folder: Path) -> Iterator[Address]:
    with embedded.running(folder) as server:
        yield Address(
            "127.0.0.1", server.port, server.user, server.password, server.database, settings.now
        )


def open_cht(settings: Settings) -> ChtClient:
    couch = settings.couch
    return ChtClient(couch.url, couch.user, couch.password, authorities=couch.authorities)


def open_dbt(
    settings: Settings, address: Address
) -> contextlib.AbstractContextManager[dbt_process.Dbt]:
    names = settings.postgres
    return dbt_process.running(address, names.schema, names.table, settings.home)


def landing(settings: Settings) -> Landing:
    names = settings.postgres
    return Landing(
        names.schema, names.table, settings.keeps_deleted_content, settings.is_synced_by_couch2pg
    )


def migrate(settings: Settings, address: Address) -> list[str]:
    """Returns the statements that an administrator has to run, where the account may not.

    Waits `WORKLIST_PATIENCE` for others to release the landing; run again, it continues from
    where it gave up. For an account that does not own the database it only checks that the
    database is current.
    """
    with database.connect(address) as connection:
        migration_run.check_database(connection, settings.postgres)
        owner = migration_run.other_owner(connection)
        if owner is None:
            migration_run.check_account(connection, settings.postgres)
    if owner is not None:
        check_current(settings, address)
        return []
    Retry(settings.patience_seconds, log)(lambda: _prepare_landing(settings, address))
    engine = database.engine(address)
    with database.translated(address), engine.begin() as connection:
        refused = migration_run.migrate(connection, settings.postgres)
        instance = migration_run.name_instance(
            connection,
            settings.instance or settings.couch.host,
            settings.couch.source(settings.couch.medic),
            database.now(connection),
        )
    engine.dispose()
    if settings.instance not in (None, instance):
        log(
            f"WORKLIST_INSTANCE is {settings.instance}, but the name of this database's CHT stays "
            f"{instance}, since the ids of reports are derived from it: set "
            f"WORKLIST_INSTANCE={instance}, or use another database for another CHT."
        )
    return refused


def sources(settings: Settings) -> list[str]:
    return [settings.couch.source(name) for name in settings.couch.databases]


def _prepare_landing(settings: Settings, address: Address) -> None:
    with database.connect(address, autocommit=True) as connection:
        Adoption(connection, landing(settings), sources(settings), log).prepare()


SyncWork = Callable[[sync_run.Sync, threading.Event], object]


def sync(
    settings: Settings, address: Address, client: ChtClient, patience_seconds: float = 0
) -> int:
    """Syncs every database once; returns how many rows were written."""
    done = _each_database(settings, address, client, lambda one, _: one.once(), patience_seconds)
    return sum(progress.written for progress in done)


def sync_changed(
    settings: Settings,
    address: Address,
    client: ChtClient,
    long_poll: LongPoll,
    changed: threading.Event,
) -> None:
    """Syncs once, quietly, each database except those that a long poll watches; sets `changed`
    when documents landed, even if another database failed.
    """

    def work(one: sync_run.Sync, _: threading.Event) -> None:
        try:
            long_poll.ask(one.database, one.once().sequence)
        finally:
            if one.progress.written:
                changed.set()

    names = [name for name in settings.couch.databases if not long_poll.is_quiet(name)]
    _each_database(settings, address, client, work, 0, quiet=True, names=names)


def follow(settings: Settings, address: Address, client: ChtClient) -> None:
    """Follows every database until Ctrl-C, or until each of them was refused."""
    _each_database(settings, address, client, lambda one, stop: one.follow(stop), None)


def _each_database(
    settings: Settings,
    address: Address,
    client: ChtClient,
    work: SyncWork,
    limit_seconds: float | None,
    quiet: bool = False,
    names: Sequence[str] | None = None,
) -> list[sync_run.Progress]:
    """Does `work` for all databases at the same time."""
    if settings.is_synced_by_couch2pg:
        raise SettingsWrong(
            "WORKLIST_SYNC is external: couch2pg copies the CHT's documents. To take over from it, "
            "stop couch2pg, remove WORKLIST_SYNC from the settings and run `worklist migrate`."
        )
    databases = settings.couch.databases if names is None else names
    logs_error = len(databases) > 1 and not quiet
    stop = threading.Event()

    def sync_database(name: str) -> sync_run.Progress:
        step = StepProgress(f"sync {name}", quiet)
        retry = Retry(limit_seconds, step.log, stop)
        return _DatabaseSync(settings, address, client, name, work, step, retry, logs_error).run()

    try:
        return run_all([partial(sync_database, name) for name in databases])
    finally:
        stop.set()


@dataclass
class _DatabaseSync:
    """Does `work` for one database, each attempt with a new connection.

    `logs_error` is for one of several databases, of which the command raises the first error only.
    """

    settings: Settings
    address: Address
    client: ChtClient
    name: str
    work: SyncWork
    step: StepProgress
    retry: Retry
    logs_error: bool
    done: sync_run.Progress = field(default_factory=sync_run.Progress)

    def run(self) -> sync_run.Progress:
        try:
            self.retry(self._attempt)
        except WorklistError as error:
            if self.logs_error and not self.retry.stop.is_set():
                self.step.log(str(error))
            if self.done.read:
                self._finish()
            else:
                self.step.close()
            raise
        self._finish()
        return self.done

    def _finish(self) -> None:
        self.step.finish(
            f"{self.done.read} changes read, {self.done.written} documents written, "
            f"{self.done.altered} altered, {self.done.set_aside} set aside",
            has_changes=self.done.written > 0,
        )

    def _attempt(self) -> None:
        with (
            database.translated(self.address),
            database.connect(self.address, autocommit=True) as connection,
        ):
            sync = sync_run.Sync(
                self.client,
                connection,
                landing(self.settings),
                self.settings.couch.source(self.name),
                self.name,
                report=self._report,
                say=self.step.log,
                progress=self.done,
            )
            self.work(sync, self.retry.stop)

    def _report(self, progress: sync_run.Progress) -> None:
        self.done = progress
        self.retry.succeeded()
        self.step.documents(progress)


def changes_of_couch2pg(
    settings: Settings, address: Address, changed: threading.Event
) -> Callable[[], None]:
    """A function that sets `changed` when couch2pg has written since its last call."""
    source, seen = settings.couch.source(settings.couch.medic), 0

    def check() -> None:
        nonlocal seen
        before = seen
        with database.connect(address) as connection:
            seen = sync_store.highest_number(connection, landing(settings), source)
        if seen > before:
            changed.set()

    return check


def reconcile(settings: Settings, address: Address, client: ChtClient, quiet: bool = False) -> None:
    """Compares each landed database with the CHT and repairs it."""
    for name in settings.couch.databases:
        step = StepProgress(f"reconcile {name}", quiet)
        with database.connect(address, autocommit=True) as connection:
            source = settings.couch.source(name)
            sums = Reconciliation(
                client, connection, landing(settings), source, name, step.documents
            ).once()
        step.finish(
            f"{sums.listed} documents listed; repaired: {sums.landed} missing or outdated, "
            f"{sums.deleted} deleted, {sums.purged} purged",
            has_changes=sums.written > 0,
        )


def retry_set_aside(settings: Settings, address: Address) -> None:
    for name in settings.couch.databases:
        step = StepProgress(f"retry {name}")
        with database.connect(address, autocommit=True) as connection:
            done = set_aside_retry.retry(connection, landing(settings), settings.couch.source(name))
        step.finish(f"{done.landed} of {done.tried} set-aside documents landed")
        for reason, count in done.reasons.most_common():
            step.log(f"{count} still set aside: {reason}")


def refresh(
    settings: Settings,
    address: Address,
    running_dbt: dbt_process.Dbt,
    tier: str,
    quiet: bool = False,
) -> None:
    with database.connect(address, autocommit=True) as connection:
        if tier == "live":
            path = settings.tasks_file
            text, moment = read_tasks_file(path), database.now(connection)
            with connection.transaction():
                tasks_run.store_definitions(connection, text, path.name, moment)
        step = StepProgress(f"refresh {tier}", quiet)
        refresh_run.refresh(
            connection, running_dbt, tier, lambda: database.now(connection), step.model
        )
        step.finish("done")


def write_back(
    settings: Settings, address: Address, client: ChtClient, quiet: bool = False
) -> str | None:
    """Sends what is due now. Returns why the last attempt to send, now or before, failed."""
    step = StepProgress("write back", quiet)
    with database.connect(address, autocommit=True) as connection:
        done = _writing(settings, connection, client).once()
        reason = outbox_store.stopped_because(connection)
    step.finish(_summarized(done), has_changes=done != Summary())
    return reason


def write_back_in_cycle(settings: Settings, address: Address, client: ChtClient) -> None:
    """As `write_back`; raises Unavailable until an attempt to send succeeds, also while nothing is
    due.
    """
    if reason := write_back(settings, address, client, quiet=True):
        raise Unavailable(reason)


def follow_outbox(
    settings: Settings,
    address: Address,
    client: ChtClient,
    stop: threading.Event,
    errors: tuple[type[WorklistError], ...] = (Unavailable, Conflict),
) -> None:
    """Sends whatever is accepted until `stop` is set; retries `errors` with a new connection."""
    step = StepProgress("write back", quiet=True)
    retry = Retry(None, step.log, stop, errors=errors)

    def attempt() -> None:
        with (
            database.translated(address),
            database.connect(address, autocommit=True) as connection,
        ):

            def report(done: Summary) -> None:
                if outbox_store.stopped_because(connection):
                    retry.restart()
                else:
                    retry.succeeded()
                if done != Summary():
                    step.log(_summarized(done))

            _writing(settings, connection, client).follow(retry.stop, report)

    retry(attempt)


def _writing(
    settings: Settings, connection: psycopg.Connection, client: ChtClient
) -> write_back_run.WriteBack:
    medic = settings.couch.medic
    documents, source = landing(settings).documents, settings.couch.source(medic)
    if settings.writes_with_api:
        return write_back_run.WriteBack(
            ReportApi(client, medic), connection, documents, source, API_BACKOFF
        )
    return write_back_run.WriteBack(BulkDocs(client, medic), connection, documents, source)


def _summarized(done: Summary) -> str:
    return (
        f"{done.sent} sent, {done.confirmed} confirmed, {done.refused} refused, "
        f"{done.withdrawn} withdrawn, {done.deferred} to be retried"
    )


def read_tasks_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not in UTF-8"
        raise SettingsWrong(
            f"{path} cannot be read ({reason}): name another file, or set WORKLIST_TASKS "
            "to your tasks.yml."
        ) from error
