"""Statements that are asked again and again: composed with SQLAlchemy, written out once.

What SQLAlchemy and psycopg do anew for each `execute` takes a fifth of a request
(docs/decisions/service-speed.md): looking up the written statement, taking its text apart, and
describing forty columns. A `Statement` is sent as it was written, in the same transaction.
"""

from collections import namedtuple
from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.selectable import ReturnsRows

from pipeline.database import driver

_NUMBERED = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Statement:
    """Gives rows whose fields are named as its columns. Values are passed as psycopg takes them, by
    the names of the parameters; one that is not given has its own value, or none.

    Raises psycopg's errors.
    """

    def __init__(self, composed: ReturnsRows) -> None:
        if not isinstance(composed, Executable):
            raise TypeError("not a statement")
        written = composed.compile(dialect=_NUMBERED)
        self._text = str(written).encode()
        self._own = written.construct_params(_check=False)
        self._names = tuple(written.positiontup or ())
        self._row: Any = namedtuple("Row", composed.exported_columns.keys())  # type: ignore[misc]

    def rows(self, connection: Connection, values: Mapping[str, object] | None = None) -> list[Any]:
        given = {**self._own, **(values or {})}
        with psycopg.RawCursor(driver(connection)) as cursor:
            cursor.execute(self._text, [given[name] for name in self._names], binary=True)
            return list(map(self._row._make, cursor.fetchall()))

    def row(self, connection: Connection, values: Mapping[str, object] | None = None) -> Any | None:
        """The only one, if there is any."""
        rows = self.rows(connection, values)
        if len(rows) > 1:
            raise ValueError(f"{len(rows)} rows where there is one at most")
        return rows[0] if rows else None
