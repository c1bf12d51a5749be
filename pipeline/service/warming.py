"""Asks what is asked most on each connection, before anybody is there to wait for it."""

import asyncio
from contextlib import suppress
from functools import partial
from uuid import UUID

import psycopg
import sqlalchemy

from pipeline import turns
from pipeline.database import KEPT_CONNECTIONS
from pipeline.errors import Refused, SettingsWrong, Unavailable
from pipeline.service.dependencies import Collaborators
from pipeline.worklist import rules, sessions, store
from pipeline.worklist.records import Filters

_NOTHING = UUID(int=0)


async def warm(ours: Collaborators) -> None:
    """PostgreSQL plans a statement once on each connection, which takes up to 20 ms; the second
    connection is used when there is a rush, the third when there is a greater one.
    """
    asking = (turns.run(partial(_ask, ours)) for _ in range(KEPT_CONNECTIONS))
    await asyncio.gather(*asking)


def _ask(ours: Collaborators) -> None:
    """As a supervisor without places. What cannot be answered is told to those who will ask."""
    nobody = rules.viewer("", ("mm-online",), (), None, ())
    passing = (Refused, SettingsWrong, Unavailable, psycopg.Error, sqlalchemy.exc.DBAPIError)
    with suppress(*passing), ours.connections.lent() as connection:
        sessions.find(connection, "", ours.moment(), ours.hold)
        for search in ("", "nobody"):
            store.tasks(connection, nobody, filters=Filters(search=search), limit=1)
        store.progress(connection, nobody)
        store.areas(connection, nobody, Filters())
        store.task(connection, nobody, _NOTHING)
        store.task_to_answer(connection, nobody, _NOTHING)
