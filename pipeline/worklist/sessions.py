"""Who is signed in: `app.session`. Holds hashes of tokens, no password and no CHT cookie."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from pipeline.tables import session

LASTS = timedelta(hours=8)


@dataclass(frozen=True)
class Session:
    """A signed-in user with his rights as the CHT gave them at sign-in."""

    user_name: str
    roles: tuple[str, ...]
    facility_uuids: tuple[str, ...]
    contact_uuid: str | None


def begin(connection: Connection, token: str, user: Session, now: datetime) -> None:
    """Also forgets the sessions that have ended by themselves."""
    connection.execute(delete(session).where(session.c.expires_at <= now))
    connection.execute(
        insert(session).values(
            token_hash=_hash(token),
            user_name=user.user_name,
            roles=list(user.roles),
            facility_uuids=list(user.facility_uuids),
            contact_uuid=user.contact_uuid,
            created_at=now,
            expires_at=now + LASTS,
        )
    )


def find(connection: Connection, token: str, now: datetime) -> Session | None:
    row = connection.execute(
        select(
            session.c.user_name, session.c.roles, session.c.facility_uuids, session.c.contact_uuid
        ).where(session.c.token_hash == _hash(token), session.c.expires_at > now)
    ).one_or_none()
    if row is None:
        return None
    return Session(row.user_name, tuple(row.roles), tuple(row.facility_uuids), row.contact_uuid)


def end(connection: Connection, token: str) -> None:
    connection.execute(delete(session).where(session.c.token_hash == _hash(token)))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
