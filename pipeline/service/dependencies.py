"""What the service works with, passed in by whoever builds it, and one visit of one user."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy
from fastapi import Request

from pipeline.database import Connections
from pipeline.errors import Refused
from pipeline.service.authentication import Entrance
from pipeline.service.request_checks import SAFE
from pipeline.service.waking import Waking
from pipeline.worklist import rules, sessions
from pipeline.worklist.records import Viewer

COOKIE = "worklist_session"

LastSync = Callable[[sqlalchemy.Connection], datetime | None]


@dataclass(frozen=True)
class Collaborators:
    """`moment` is the time of sessions, `clock` gives seconds that never go back.

    `hold` is how long rights last without the CHT, `refusal_seconds` how long it takes to say that
    name or password is wrong; `cht_url` is the CHT's address for people.
    """

    connections: Connections
    entrance: Entrance
    moment: Callable[[], datetime]
    clock: Callable[[], float]
    hold: timedelta
    refusal_seconds: float
    cht_url: str | None
    waking: Waking
    programme_roles: tuple[str, ...]
    last_sync: LastSync | None
    new_id: Callable[[], UUID]
    new_token: Callable[[], str]


@dataclass(frozen=True)
class Visit:
    """One request of a signed-in user; `now` is the moment of answers."""

    connection: sqlalchemy.Connection
    viewer: Viewer
    now: datetime
    collaborators: Collaborators


class SignedOut(Refused):
    """Nobody is signed in, or the session has ended."""

    def __init__(self) -> None:
        super().__init__("Sign in first.")


def of(request: Request) -> Collaborators:
    collaborators = request.app.state.collaborators
    if not isinstance(collaborators, Collaborators):
        raise TypeError("the app was not made by build()")
    return collaborators


@contextmanager
def visit(request: Request) -> Iterator[Visit]:
    """What is stored here is safe when its statement is done. Raises SignedOut."""
    collaborators = of(request)
    with collaborators.connections.lent() as connection:
        found = session_of(request, connection)
        if found is None:
            raise SignedOut
        session, now = found
        viewer = rules.viewer(
            session.user_name,
            session.roles,
            session.facility_uuids,
            session.contact_uuid,
            collaborators.programme_roles,
        )
        yield Visit(connection, viewer, now, collaborators)
    if request.method not in SAFE:
        collaborators.waking.wake_soon()


def session_of(
    request: Request, connection: sqlalchemy.Connection
) -> tuple[sessions.Session, datetime] | None:
    ours = of(request)
    return sessions.find(connection, token(request), ours.moment(), ours.hold)


def token(request: Request) -> str:
    return request.cookies.get(cookie_name(request), "")


def cookie_name(request: Request) -> str:
    """Behind TLS a name that browsers let no neighbouring host set."""
    return f"__Host-{COOKIE}" if is_behind_tls(request) else COOKIE


def is_behind_tls(request: Request) -> bool:
    """By the scope: `request.url` would be composed for it."""
    return request.scope["scheme"] == "https"  # type: ignore[no-any-return]
