"""Connections to PostgreSQL, and the one clock.

Every connection carries the operator's `WORKLIST_NOW` in the setting `worklist.now`; the SQL
function `app.worklist_now()` reads it, so that Python and dbt agree on what time it is.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import psycopg
import sqlalchemy
from sqlalchemy.pool import ConnectionPoolEntry

from pipeline import turns
from pipeline.errors import SettingsWrong, Unavailable

KEPT_CONNECTIONS = 4  # by an engine
_TRIED_AFTER = 1.0  # seconds
_PLACE_SECONDS = 30.0
_PREPARED_AFTER = 5  # times, psycopg's own
# Of requests: each statement is planned once, and looks rows up, also where a young database has
# no statistics yet or small tables that will grow.
PLANNING = " -c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off"


@dataclass(frozen=True)
class Address:
    """A database and how to enter it; `now` is WORKLIST_NOW or None."""

    host: str
    port: int
    user: str
    password: str
    database: str
    now: str | None = None

    @property
    def options(self) -> str:
        """What libpq passes to the server at the start of a session (PGOPTIONS)."""
        now = (self.now or "").replace("\\", "\\\\").replace(" ", "\\ ")
        return f"-c timezone=UTC -c worklist.now={now}"

    @property
    def place(self) -> str:
        return f"PostgreSQL at {self.host}:{self.port}, database {self.database}"


def connect(
    address: Address, *, autocommit: bool = False, for_requests: bool = False
) -> psycopg.Connection:
    """For requests, whose statements are few and asked again and again, each is prepared when it
    is first sent (psycopg sends five that are planned each), and planned once (PLANNING).

    Raises Unavailable with the place when nobody answers or the password is wrong."""
    opening = partial(
        turns.Connection.connect,
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=address.database,
        options=address.options + (PLANNING if for_requests else ""),
        application_name="worklist",
        connect_timeout=10,
        keepalives_idle=30,
        tcp_user_timeout=60_000,  # a host that vanished is noticed within a minute
        autocommit=autocommit,
        prepare_threshold=0 if for_requests else _PREPARED_AFTER,
    )
    with translated(address):
        return turns.aside(opening)


def engine(address: Address) -> sqlalchemy.Engine:
    """A pool of such connections for SQLAlchemy; one that has lain there is tried first, since
    servers restart.

    Who comes when all are busy waits, which is faster than a further connection.
    """
    made = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(address, for_requests=True),
        pool_size=KEPT_CONNECTIONS,
        pool_use_lifo=True,
        max_overflow=0,
        hide_parameters=True,
    )
    sqlalchemy.event.listen(made, "checkin", _put_down)
    sqlalchemy.event.listen(made, "checkout", _try_first)
    return made


def _put_down(_: object, record: ConnectionPoolEntry) -> None:
    record.info["put_down_at"] = time.monotonic()


def _try_first(connection: psycopg.Connection, record: ConnectionPoolEntry, _: object) -> None:
    """Before each use (`pool_pre_ping`) it would cost a busy service a third way to PostgreSQL."""
    if time.monotonic() - record.info.get("put_down_at", math.inf) < _TRIED_AFTER:
        return
    try:
        connection.execute("")
        connection.rollback()
    except psycopg.OperationalError as error:
        raise sqlalchemy.exc.DisconnectionError from error


class Connections:
    """What those who take turns (`turns`) have their connections from: as many as an engine keeps.

    Who comes when all are busy waits, and the others go on. Nobody may hold two, since all could
    then wait for each other.
    """

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._engine = engine
        self._places = turns.Places(
            KEPT_CONNECTIONS, _PLACE_SECONDS, "PostgreSQL has been busy with others for too long."
        )
        with engine.connect():  # an engine's first connection is made under a lock, of threads
            pass

    @contextmanager
    def begun(self, *, is_looking: bool = False) -> Iterator[sqlalchemy.Connection]:
        """Commits at the end. Who only looks needs no transaction, and the two ways to PostgreSQL
        that it costs. Raises Unavailable when no connection is free for long.
        """
        with self._places.taken(), self._engine.connect() as connection:
            if is_looking:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            with connection.begin():
                yield connection


def driver(connection: sqlalchemy.Connection) -> psycopg.Connection:
    """The same connection and transaction for those who speak psycopg."""
    inner = connection.connection.driver_connection
    if not isinstance(inner, psycopg.Connection):
        raise Unavailable("The connection to PostgreSQL was lost.")
    return inner


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """The door to PostgreSQL.

    A lost or refused connection becomes Unavailable, a table that is not there SettingsWrong.
    """
    try:
        yield
    except (psycopg.errors.UndefinedTable, sqlalchemy.exc.ProgrammingError) as error:
        if not isinstance(getattr(error, "orig", error), psycopg.errors.UndefinedTable):
            raise
        raise SettingsWrong(
            f"{address.place} has no worklist yet: run `worklist sync --once`, then "
            "`worklist refresh`."
        ) from error
    except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise Unavailable(
            f"{address.place} does not answer: {reason or 'no reason given'}"
        ) from error


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
