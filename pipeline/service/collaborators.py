"""What the service works with, passed in by whoever builds it, and one visit of one user."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy
from fastapi import Request

from pipeline.cht.identity import Identity
from pipeline.database import now
from pipeline.errors import Refused
from pipeline.service.throttle import Throttle
from pipeline.worklist import rules, sessions
from pipeline.worklist.records import Viewer
from pipeline.worklist.run import Enqueue

COOKIE = "worklist_session"

SignIn = Callable[[str, str, str], Identity]
LastSync = Callable[[sqlalchemy.Connection], datetime | None]


@dataclass(frozen=True)
class Collaborators:
    """`sign_in` takes name, password and the client's address."""

    engine: sqlalchemy.Engine
    sign_in: SignIn
    enqueue: Enqueue
    programme_roles: tuple[str, ...]
    last_sync: LastSync | None
    new_id: Callable[[], UUID]
    new_token: Callable[[], str]
    throttle: Throttle


@dataclass(frozen=True)
class Visit:
    """One request of a signed-in user, in one transaction."""

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
    """Commits at the end, so that an answer is safe before anybody is told so.

    Raises SignedOut.
    """
    collaborators = of(request)
    with collaborators.engine.begin() as connection:
        moment = now(connection)
        session = sessions.find(connection, request.cookies.get(COOKIE, ""), moment)
        if session is None:
            raise SignedOut
        viewer = rules.viewer(
            session.user_name,
            session.roles,
            session.facility_uuids,
            session.contact_uuid,
            collaborators.programme_roles,
        )
        yield Visit(connection, viewer, moment, collaborators)
