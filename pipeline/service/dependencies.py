"""What the service is built from, and the context of one request of a signed-in user."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import sqlalchemy
from fastapi import Request

from pipeline.database import driver
from pipeline.errors import Refused
from pipeline.service.cht_authentication import Authentication
from pipeline.worklist import rules, run, sessions
from pipeline.worklist.records import Sent, TaskNote, Verification, Viewer

COOKIE = "worklist_session"

LastSync = Callable[[sqlalchemy.Connection], datetime | None]


@dataclass(frozen=True)
class Dependencies:
    """Made once, by the composition root.

    `notify_write_back` is called for each new report, and `session_clock` is the time of sessions.
    `rights_hold` is how long rights last without the CHT, `refusal_seconds` how long a refused
    sign-in takes, and `cht_url` the CHT's address for people.
    """

    engine: sqlalchemy.Engine
    authentication: Authentication
    session_clock: Callable[[], datetime]
    notify_write_back: Callable[[psycopg.Connection], None]
    programme_roles: tuple[str, ...] = ()
    rights_hold: timedelta = timedelta(hours=12)
    cht_url: str | None = None
    last_sync: LastSync | None = None
    refusal_seconds: float = 1.0
    new_id: Callable[[], UUID] = uuid4
    new_token: Callable[[], str] = secrets.token_urlsafe
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Context:
    """A request of a signed-in user, in one transaction; `now` is the moment of answers."""

    connection: sqlalchemy.Connection
    viewer: Viewer
    now: datetime
    dependencies: Dependencies

    def accept(self, task_uuid: UUID, sent: Sent) -> Verification:
        """Raises as `run.accept`. The write-back is notified at the commit; until that is on the
        disk PostgreSQL lets no other transaction with a notification commit.
        """
        verification = run.accept(
            self.connection,
            self.viewer,
            task_uuid,
            sent,
            now=self.now,
            verification_id=self.dependencies.new_id(),
        )
        self.dependencies.notify_write_back(driver(self.connection))
        return verification

    def add_note(self, task_uuid: UUID, text: str, key: str) -> TaskNote:
        """Raises as `run.note`."""
        return run.note(
            self.connection,
            self.viewer,
            task_uuid,
            text,
            note_id=rules.note_id(self.viewer.user_name, key),
            now=self.now,
        )


class SignedOut(Refused):
    """Nobody is signed in, or the session has ended."""

    def __init__(self) -> None:
        super().__init__("Sign in first.")


def of(request: Request) -> Dependencies:
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


@contextmanager
def signed_in(request: Request) -> Iterator[Context]:
    """The request's context; what is stored is committed at the end. Raises SignedOut."""
    dependencies = of(request)
    with dependencies.engine.begin() as connection:
        found = session_of(request, connection)
        if found is None:
            raise SignedOut
        session, now = found
        viewer = rules.viewer(
            session.user_name,
            session.roles,
            session.facility_uuids,
            session.contact_uuid,
            dependencies.programme_roles,
        )
        yield Context(connection, viewer, now, dependencies)


def session_of(
    request: Request, connection: sqlalchemy.Connection
) -> tuple[sessions.Session, datetime] | None:
    dependencies = of(request)
    return sessions.find(
        connection, token(request), dependencies.session_clock(), dependencies.rights_hold
    )


def token(request: Request) -> str:
    return request.cookies.get(cookie_name(request), "")


def cookie_name(request: Request) -> str:
    """Behind TLS, a name that browsers let no neighbouring host set."""
    return f"__Host-{COOKIE}" if is_behind_tls(request) else COOKIE


def is_behind_tls(request: Request) -> bool:
    return request.url.scheme == "https"
