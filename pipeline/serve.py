"""What `worklist serve` runs, put together from the settings: workers and background jobs."""

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

import sqlalchemy
from fastapi import FastAPI

from pipeline import database, steps
from pipeline.cht import users
from pipeline.cht.client import ChtClient
from pipeline.cht.users import Identity
from pipeline.database import Address, Clock
from pipeline.errors import SettingsWrong, WorklistError
from pipeline.service import app, server
from pipeline.service.cht_authentication import Authentication
from pipeline.service.dependencies import Dependencies
from pipeline.service.rights_refresh import RightsRefresh
from pipeline.settings import Settings
from pipeline.sync import store as sync_store
from pipeline.worklist import health
from pipeline.writeback import store as outbox_store


def serve(settings: Settings, address: Address, announce: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM."""
    engine = database.engine(address)
    clock = _check_account(address, engine)
    with steps.open_cht(settings) as client:
        rights = RightsRefresh(engine, partial(users.rights, client), clock)
        server.serve(
            partial(make_app, settings, address, clock),
            {"rights": rights.follow, "write-back": partial(_write_back, settings, address)},
            host=settings.service_host,
            port=settings.service_port,
            trusted_proxies=settings.trusted_proxies,
            announce=announce,
        )


def make_app(settings: Settings, address: Address, clock: Clock) -> FastAPI:
    """Asks no server, so that a worker can start while PostgreSQL or the CHT is down."""
    engine = database.engine(address)
    return app.build(
        Dependencies(
            engine=engine,
            authentication=Authentication(
                engine, clock, partial(sign_in, settings), partial(recognise, settings)
            ),
            session_clock=clock,
            notify_write_back=outbox_store.notify,
            programme_roles=settings.programme_roles,
            rights_hold=settings.rights_hold,
            cht_url=settings.cht_url,
            last_sync=last_sync(settings),
        )
    )


def last_sync(settings: Settings) -> Callable[[sqlalchemy.Connection], datetime | None]:
    def ask(connection: sqlalchemy.Connection) -> datetime | None:
        return sync_store.last_asked(database.driver(connection), steps.landing(settings))

    return ask


def _check_account(address: Address, engine: sqlalchemy.Engine) -> Clock:
    """The clock of sessions. SettingsWrong where the account may not serve."""
    with database.translated(address), engine.connect() as connection:
        if not health.may_serve(connection):
            raise SettingsWrong(
                f"The account {address.user} may not serve the worklist: set POSTGRES_USER to one "
                "that holds the role worklist_service."
            )
        return database.clock(connection)


def sign_in(settings: Settings, name: str, password: str, address: str) -> Identity:
    with _client_for_people(settings) as client:
        return users.sign_in(client, name, password, address)


def recognise(settings: Settings, cookie: str, address: str) -> Identity:
    with _client_for_people(settings) as client:
        return users.recognise(client, cookie, address)


def _client_for_people(settings: Settings) -> ChtClient:
    """Without an account, and with short timeouts: somebody is waiting."""
    couch = settings.couch
    return ChtClient(couch.url, connect_seconds=5, read_seconds=10, authorities=couch.authorities)


def _write_back(settings: Settings, address: Address, stop: threading.Event) -> None:
    """With a client of its own, since it runs on a thread of its own. Whatever keeps reports from
    being sent is reported once, and the service goes on.
    """
    with steps.open_cht(settings) as client:
        steps.follow_outbox(settings, address, client, stop, errors=(WorklistError,))
