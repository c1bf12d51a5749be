"""The service with visitors who are signed in already, with the rights that have landed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from pipeline.cht.users import Identity
from pipeline.database import Clock, clock, now
from pipeline.service.app import build
from pipeline.service.cht_authentication import Authentication, no_cht_sessions
from pipeline.service.dependencies import COOKIE, Dependencies
from pipeline.worklist import sessions, store
from pipeline.writeback.store import notify

SITE = "http://worklist.test"
PROGRAMME_ROLES = ("program_officer",)


def nobody_signs_in(name: str, password: str, address: str) -> NoReturn:
    raise NotImplementedError(name, len(password), address)


def service(
    engine: Engine,
    sign_in: Callable[[str, str, str], Identity] = nobody_signs_in,
    recognise: Callable[[str, str], Identity] = no_cht_sessions,
    session_clock: Callable[[], datetime] | None = None,
    **more: Any,
) -> FastAPI:
    """What is not given is as in Dependencies."""
    session_clock = session_clock or clock_of(engine)
    authentication = Authentication(engine, session_clock, sign_in, recognise)
    given = {"notify_write_back": notify, "programme_roles": PROGRAMME_ROLES, **more}
    return build(Dependencies(engine, authentication, session_clock, **given))


def clock_of(engine: Engine) -> Clock:
    with engine.connect() as connection:
        return clock(connection)


def visitor(app: FastAPI, engine: Engine, user_name: str) -> TestClient:
    return TestClient(app, base_url=SITE, cookies={COOKIE: session(engine, user_name)})


def session(engine: Engine, user_name: str) -> str:
    """The token of a new session."""
    token = f"token of {user_name}"
    with engine.begin() as connection:
        known = store.viewer(connection, user_name, PROGRAMME_ROLES)
        user = sessions.Session(
            known.user_name, known.roles, known.facility_uuids, known.contact_uuid
        )
        sessions.begin(connection, token, user, now(connection))
    return token
