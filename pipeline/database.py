"""Connections to PostgreSQL, and the one clock.

Every connection carries the operator's `WORKLIST_NOW` in the setting `worklist.now`; the SQL
function `app.worklist_now()` reads it, so that Python and dbt agree on what time it is.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import sqlalchemy
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from pipeline.errors import SettingsWrong, Unavailable, WorklistError

# Of a process of the service. Its threads compute on one core, and PostgreSQL on the others: more
# statements at once only wait for each other, while four processes stay well below the hundred
# connections of a server as it is installed.
POOL_SIZE = 8
Clock = Callable[[], datetime]
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
    # Of disks without a seek time: a few rows are looked up, also in tables that were just created.
    "random_page_cost": "1.1",
    # Of prepared statements: planned anew for each site, a list costs half as much again, and at a
    # million tasks PostgreSQL would do so, since it takes the plan for any site for the dearer one.
    "plan_cache_mode": "force_generic_plan",
}
_LEAST_VERSION = 15
# A server that refuses somebody for the time being, in the languages that CHTs are run in.
_PASSING = re.compile(
    "too many|connection slots|starting up|shutting down|in recovery|not yet accepting|trop de",
    re.IGNORECASE,
)
_FAILED_ATTEMPT = re.compile(".* failed: (.*)")
_NOT_POSTGRESQL = re.compile("invalid response to SSL negotiation|expected authentication request")


@dataclass(frozen=True)
class Address:
    """A database and an account; `now` is WORKLIST_NOW or None, `role` the role to act as."""

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
    def location(self) -> str:
        return f"PostgreSQL at {self.host}:{self.port}, database {self.database}"


def _escaped(option: str) -> str:
    return option.replace("\\", "\\\\").replace(" ", "\\ ")


def connect(address: Address, *, autocommit: bool = False) -> psycopg.Connection:
    """Raises Unavailable with the address when nobody answers, SettingsWrong when the server
    refuses the connection or cannot hold a worklist.
    """
    conninfo = _conninfo(address)
    with translated(address):
        try:
            connection = psycopg.connect(conninfo, autocommit=autocommit)
        except psycopg.OperationalError as error:
            if refusal := _refusal(address, conninfo, error):
                raise SettingsWrong(refusal) from error
            raise
    if reason := _unsuited_server(connection):
        connection.close()
        raise SettingsWrong(f"{address.location} {reason}")
    return connection


def _conninfo(address: Address) -> str:
    return make_conninfo(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=address.database,
        client_encoding="UTF8",  # where PGCLIENTENCODING says otherwise
        options=address.options,
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
        return f"{address.location}: the server there is not PostgreSQL. Check POSTGRES_PORT."
    if error.pgconn and error.pgconn.needs_password:
        return f"{address.location} asks for a password: set POSTGRES_PASSWORD."
    reason = said.rpartition("FATAL:")[2].partition("\n")[0].strip()
    if "FATAL:" not in said or _PASSING.search(reason):
        return None
    if PGconn.ping(conninfo.encode()) != Ping.OK:
        return None
    return (
        f"{address.location} refuses the connection: {reason}. Check POSTGRES_USER, "
        "POSTGRES_PASSWORD and POSTGRES_DB."
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
            f"has the encoding {encoding}, which lacks characters that a CHT's documents contain: "
            "set POSTGRES_DB to a database created with `create database … encoding 'UTF8' "
            "template template0`."
        )
    return None


def engine(address: Address) -> sqlalchemy.Engine:
    """A pool of such connections. The one used last is lent first: its statements are planned."""
    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(address),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_pre_ping=True,
        pool_use_lifo=True,
        hide_parameters=True,
    )


def driver(connection: sqlalchemy.Connection) -> psycopg.Connection:
    """The same connection and transaction as psycopg has it."""
    inner = connection.connection.dbapi_connection
    if not isinstance(inner, psycopg.Connection):
        raise Unavailable("The connection to PostgreSQL was lost.")
    return inner


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Turns PostgreSQL's errors into ours.

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
    reason = error.diag.message_primary or _reason_for_failed_connection(error)
    match error:
        case psycopg.errors.UndefinedTable():
            return SettingsWrong(
                f"{address.location} has no worklist yet: run `worklist sync --once`, then "
                "`worklist refresh`."
            )
        case psycopg.errors.InsufficientPrivilege():
            return SettingsWrong(
                f"{address.location}: {address.user} may not do this ({reason}). Grant it the role "
                'that docs/operators.md names under "Roles in PostgreSQL", or use another account.'
            )
        case psycopg.errors.ReadOnlySqlTransaction():
            return Unavailable(
                f"{address.location} is read-only: if it is a standby, name the primary server in "
                "POSTGRES_HOST."
            )
        case psycopg.OperationalError():
            return Unavailable(f"{address.location} does not answer: {reason or 'no reason given'}")
    return None


def _reason_for_failed_connection(error: psycopg.Error) -> str:
    """What libpq says of its last attempt, without the address, which our messages begin with."""
    said = str(error).strip()
    *_, reason = _FAILED_ATTEMPT.findall(said) or [said.partition("\n")[0]]
    return str(reason).removeprefix("FATAL:").strip()


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


def clock(connection: psycopg.Connection | sqlalchemy.Connection) -> Clock:
    """Starts at the moment that counts as now and runs on, even where WORKLIST_NOW is set: for
    what ends by itself, such as sessions. It can be pickled.
    """
    return partial(_moment, now(connection) - datetime.now(UTC))


def _moment(ahead: timedelta) -> datetime:
    return datetime.now(UTC) + ahead
