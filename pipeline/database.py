"""Connections to PostgreSQL, and the one clock.

Every connection carries the operator's `WORKLIST_NOW` in the setting `worklist.now`; the SQL
function `app.worklist_now()` reads it, so that Python and dbt agree on what time it is.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import psycopg
import sqlalchemy
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping, TransactionStatus

from pipeline import turns
from pipeline.errors import SettingsWrong, Unavailable, WorklistError

KEPT_CONNECTIONS = 4  # by an engine, and as many by Connections
_TRIED_AFTER = 1.0  # seconds
_PLACE_SECONDS = 30.0
_PREPARED_AFTER = 5  # times, psycopg's own
# What our SQL and both drivers rely on, whatever was set for the database, the role or the server.
_SESSION = {
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO,MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_LEAST_VERSION = 15
# A server that refuses somebody for the time being, in the languages that CHTs are run in.
_PASSING = re.compile(
    "too many|connection slots|starting up|shutting down|in recovery|not yet accepting|trop de",
    re.IGNORECASE,
)
_NOT_POSTGRESQL = re.compile("invalid response to SSL negotiation|expected authentication request")
# Of requests: each statement is planned once, and looks rows up, also where a young database has
# no statistics yet or small tables that will grow.
PLANNING = " -c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off"


@dataclass(frozen=True)
class Address:
    """A database and how to enter it; `now` is WORKLIST_NOW or None, `role` whom to act as."""

    host: str
    port: int
    user: str
    password: str
    database: str
    now: str | None = None
    role: str | None = None

    @property
    def options(self) -> str:
        """What libpq passes to the server at the start of a session (PGOPTIONS)."""
        settings = {**_SESSION, "worklist.now": self.now or ""}
        if self.role:
            settings["role"] = self.role
        return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())

    @property
    def place(self) -> str:
        return f"PostgreSQL at {self.host}:{self.port}, database {self.database}"


def _escaped(option: str) -> str:
    return option.replace("\\", "\\\\").replace(" ", "\\ ")


def connect(
    address: Address, *, autocommit: bool = False, for_requests: bool = False
) -> psycopg.Connection:
    """For requests, whose statements are few and asked again and again, each is prepared when it
    is first sent (psycopg sends five that are planned each), and planned once (PLANNING).

    Raises Unavailable with the place when nobody answers, SettingsWrong when the server refuses us
    or cannot hold a worklist."""
    conninfo = _conninfo(address, address.options + (PLANNING if for_requests else ""))
    opening = partial(
        turns.Connection.connect,
        conninfo,
        autocommit=autocommit,
        prepare_threshold=0 if for_requests else _PREPARED_AFTER,
    )
    with translated(address):
        try:
            connection = turns.aside(opening)
        except psycopg.OperationalError as error:
            if refusal := _refusal(address, conninfo, error):
                raise SettingsWrong(refusal) from error
            raise
    if reason := _unsuited_server(connection):
        connection.close()
        raise SettingsWrong(f"{address.place} {reason}")
    return connection


def _conninfo(address: Address, options: str) -> str:
    return make_conninfo(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=address.database,
        client_encoding="UTF8",  # where PGCLIENTENCODING says otherwise
        options=options,
        application_name="worklist",
        connect_timeout=10,
        keepalives_idle=30,
        tcp_user_timeout=60_000,  # a host that vanished is noticed within a minute
    )


def _refusal(address: Address, conninfo: str, error: psycopg.OperationalError) -> str | None:
    """Why the server will never let us in; None where the same again later may succeed.

    libpq tells no SQLSTATE of a connection that failed, and the server's words may be in any
    language; whether it takes connections at all, libpq does tell.
    """
    said = str(error)
    if _NOT_POSTGRESQL.search(said):
        return f"{address.place}: what answers there is not PostgreSQL. Check POSTGRES_PORT."
    if error.pgconn and error.pgconn.needs_password:
        return f"{address.place} asks for a password: set POSTGRES_PASSWORD."
    reason = said.rpartition("FATAL:")[2].partition("\n")[0].strip()
    if "FATAL:" not in said or _PASSING.search(reason):
        return None
    if turns.aside(partial(PGconn.ping, conninfo.encode())) != Ping.OK:
        return None
    return (
        f"{address.place} refuses us: {reason}. Check POSTGRES_USER, POSTGRES_PASSWORD and "
        "POSTGRES_DB."
    )


def _unsuited_server(connection: psycopg.Connection) -> str | None:
    encoding = connection.info.parameter_status("server_encoding") or ""
    return unsuited(connection.info.server_version // 10_000, encoding)


def unsuited(version: int, encoding: str) -> str | None:
    """The end of a sentence about a server or database that cannot hold a worklist, else None."""
    if version < _LEAST_VERSION:
        return (
            f"is PostgreSQL {version}, and CHT Worklist needs {_LEAST_VERSION} or newer: upgrade "
            "the server, or name another in POSTGRES_HOST."
        )
    if encoding != "UTF8":
        return (
            f"is encoded as {encoding}, which cannot hold what a CHT holds: set POSTGRES_DB to a "
            "database that is made with `create database … encoding 'UTF8' template template0`."
        )
    return None


def engine(address: Address) -> sqlalchemy.Engine:
    """A pool of such connections for SQLAlchemy; one is tried first, since servers restart."""
    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(address, for_requests=True),
        pool_size=KEPT_CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
    )


class Connections:
    """What those who take turns (`turns`) have their connections from: as many as an engine keeps.
    They are kept here, since lending one from an engine's pool takes a tenth of a request.

    Who comes when all are busy waits, which is faster than a further connection, and the others go
    on. Nobody may hold two, since all could then wait for each other.
    """

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._engine = engine
        self._idle: list[tuple[sqlalchemy.Connection, float]] = []
        self._places = turns.Places(
            KEPT_CONNECTIONS, _PLACE_SECONDS, "PostgreSQL has been busy with others for too long."
        )
        with engine.connect():  # an engine's first connection is made under a lock, of threads
            pass

    def begun(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """In a transaction, which is committed at the end. Raises Unavailable when no connection is
        free for long.
        """
        return self._taken(is_transaction=True)

    def lent(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """Each statement for itself, which saves the two ways to PostgreSQL that a transaction
        costs: what belongs together is written by one. Raises Unavailable as `begun` does.
        """
        return self._taken(is_transaction=False)

    @contextmanager
    def _taken(self, *, is_transaction: bool) -> Iterator[sqlalchemy.Connection]:
        with self._places.taken():
            connection = self._picked_up()
            try:
                driver(connection).autocommit = not is_transaction
                with connection.begin():
                    yield connection
            finally:
                self._put_down(connection)

    def _picked_up(self) -> sqlalchemy.Connection:
        """The one that was used last. It is tried first if it has lain, since servers restart; to
        try it always would cost a busy service a third way to PostgreSQL.
        """
        while self._idle:
            connection, put_down_at = self._idle.pop()
            if time.monotonic() - put_down_at < _TRIED_AFTER or _answers(connection):
                return connection
            _drop(connection)
        connection = self._engine.connect()
        connection.detach()
        return connection

    def _put_down(self, connection: sqlalchemy.Connection) -> None:
        if not connection.invalidated and _is_idle(connection):
            self._idle.append((connection, time.monotonic()))
        else:
            _drop(connection)


def _answers(connection: sqlalchemy.Connection) -> bool:
    with suppress(psycopg.OperationalError):
        driver(connection).autocommit = True
        driver(connection).execute("")
        return True
    return False


def _is_idle(connection: sqlalchemy.Connection) -> bool:
    return driver(connection).info.transaction_status == TransactionStatus.IDLE


def _drop(connection: sqlalchemy.Connection) -> None:
    if not connection.invalidated:
        driver(connection).close()
        connection.invalidate()
    connection.close()


def driver(connection: sqlalchemy.Connection) -> psycopg.Connection:
    """The same connection and transaction for those who speak psycopg."""
    inner = connection.connection.dbapi_connection
    if not isinstance(inner, psycopg.Connection):
        raise Unavailable("The connection to PostgreSQL was lost.")
    return inner


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """The door to PostgreSQL.

    A lost or refused connection becomes Unavailable, a table that is not there or a privilege that
    we lack SettingsWrong.
    """
    try:
        yield
    except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
        cause = getattr(error, "orig", error)
        if isinstance(cause, psycopg.Error) and (sorted_error := _sorted(address, cause)):
            raise sorted_error from error
        raise


def _sorted(address: Address, error: psycopg.Error) -> WorklistError | None:
    """By what to do about it; None for what is a mistake of ours."""
    reason = (error.diag.message_primary or str(error)).strip().partition("\n")[0]
    match error:
        case psycopg.errors.UndefinedTable():
            return SettingsWrong(
                f"{address.place} has no worklist yet: run `worklist sync --once`, then "
                "`worklist refresh`."
            )
        case psycopg.errors.InsufficientPrivilege():
            return SettingsWrong(
                f"{address.place}: {address.user} may not do this ({reason}). Grant it the role "
                'that docs/operators.md names under "Roles in PostgreSQL", or use another account.'
            )
        case psycopg.errors.ReadOnlySqlTransaction():
            return Unavailable(
                f"{address.place} is read-only: if it is a standby, name the primary server in "
                "POSTGRES_HOST."
            )
        case psycopg.OperationalError():
            return Unavailable(f"{address.place} does not answer: {reason or 'no reason given'}")
    return None


def now(connection: psycopg.Connection | sqlalchemy.Connection) -> datetime:
    """The moment that counts as now, UTC; the only clock of code that has a database."""
    moment: object
    if isinstance(connection, sqlalchemy.Connection):
        moment = connection.execute(sqlalchemy.text("select app.worklist_now()")).scalar_one()
    else:
        (moment,) = connection.execute("select app.worklist_now()").fetchone() or (None,)
    if not isinstance(moment, datetime):
        raise TypeError("app.worklist_now() gave no moment")
    return moment


def clock(engine: sqlalchemy.Engine) -> Callable[[], datetime]:
    """Starts at the moment that counts as now and runs on, also where WORKLIST_NOW stands still.

    For what must end by itself, such as sessions.
    """
    with engine.connect() as connection:
        ahead = now(connection) - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead
