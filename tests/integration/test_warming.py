"""Whoever comes first, and whoever comes in a rush, finds the usual statements planned."""

import asyncio
from functools import partial

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from pipeline import turns
from pipeline.database import KEPT_CONNECTIONS, Address
from pipeline.database import engine as make_engine
from pipeline.service.dependencies import Collaborators
from pipeline.service.warming import warm
from pipeline.worklist import rules, sessions, store
from tests.integration.loop import on_a_loop
from tests.integration.signed_in_clients import service

pytestmark = pytest.mark.one_server

PLANS = text("""
    select sum(generic_plans), count(*)
    from pg_prepared_statements
    where statement not like '%pg_prepared_statements%'
""")


def test_each_connection_has_planned_what_is_asked_first(engine: Engine) -> None:
    app = service(engine)
    ours = collaborators(app)

    def asks_for_the_first_list() -> tuple[int, int]:
        with ours.connections.lent() as connection:
            before = connection.execute(PLANS).one()
            sessions.find(connection, "token", ours.moment(), ours.hold)
            somebody = rules.viewer("grace", ("mm-online", "site_supervisor"), ("x",), "c", ())
            store.tasks(connection, somebody, limit=21)
            after = connection.execute(PLANS).one()
            return after[0] - before[0], after[1] - before[1]

    async def run() -> list[tuple[int, int]]:
        async with app.router.lifespan_context(app):
            everybody = (turns.run(asks_for_the_first_list) for _ in range(KEPT_CONNECTIONS))
            return await asyncio.gather(*everybody)

    # uses of plans that were there already, and no new statement
    assert on_a_loop(run) == [(2, 0)] * KEPT_CONNECTIONS


def test_before_the_first_refresh_the_service_starts_too(database: Address) -> None:
    empty = make_engine(database)
    ours = collaborators(service(empty))
    on_a_loop(partial(warm, ours))
    empty.dispose()


def collaborators(app: FastAPI) -> Collaborators:
    ours = app.state.collaborators
    assert isinstance(ours, Collaborators)
    return ours
