"""The service with visitors who are signed in already, with the rights that have landed."""

from typing import NoReturn

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from pipeline.database import now
from pipeline.service.app import build
from pipeline.service.dependencies import COOKIE
from pipeline.worklist import sessions, store
from pipeline.writeback.store import wake

SITE = "http://worklist.test"
PROGRAMME_ROLES = ("program_officer",)


def service(engine: Engine) -> FastAPI:
    return build(engine, nobody_signs_in, wake, PROGRAMME_ROLES)


def nobody_signs_in(name: str, password: str, address: str) -> NoReturn:
    raise NotImplementedError(name, len(password), address)


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
