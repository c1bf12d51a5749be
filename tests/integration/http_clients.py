"""Browsers before the service, and how people enter by them."""

from fastapi import FastAPI
from httpx import Response
from starlette.testclient import TestClient

from tests.integration.signed_in_clients import SITE

PASSWORD = "password"
FORM = {"Origin": SITE}


def browser(app: FastAPI, site: str = SITE) -> TestClient:
    """Without a session, and not following redirections."""
    return TestClient(app, base_url=site, follow_redirects=False)


def enter(visitor: TestClient, name: str, password: str = PASSWORD, **more: str) -> Response:
    data = {"name": name, "password": password, **more}
    answer: Response = visitor.post("/sign-in", data=data, headers=FORM)
    return answer


def signed_in(app: FastAPI, name: str) -> TestClient:
    visitor = browser(app)
    assert enter(visitor, name).status_code == 303
    return visitor
