"""Who is signed in: `app.session`. Holds hashes of tokens, no password and no CHT cookie.

A session ends when it was not used for IDLE, when it is as old as LIFETIME, when the CHT could not
be asked for its rights for as long as they hold, when the account is gone, and by signing out.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from pipeline.tables import session

IDLE = timedelta(hours=2)
LIFETIME = timedelta(hours=16)
# What the CHT takes away is gone here within five minutes; the rest is time to ask.
ASKED_EVERY = timedelta(minutes=4, seconds=30)
# A question that was not answered is asked again after this.
LEASE = timedelta(minutes=1)
_USE_RECORDED_EVERY = timedelta(minutes=5)
_FIND = select(session, func.app.worklist_now().label("moment")).where(
    session.c.token_hash == bindparam("token_hash"),
    session.c.expires_at > bindparam("now"),
    session.c.used_at > bindparam("used_after"),
    session.c.rights_at > bindparam("asked_after"),
)


@dataclass(frozen=True)
class Session:
    """A signed-in user with the rights that the CHT gave them last."""

    user_name: str
    roles: tuple[str, ...]
    facility_uuids: tuple[str, ...]
    contact_uuid: str | None


@dataclass(frozen=True)
class Due:
    """A session whose rights are to be asked for by whoever claimed it, and when that was."""

    token_hash: bytes
    known: Session
    claimed_at: datetime


def begin(connection: Connection, token: str, user: Session, now: datetime) -> None:
    """Also forgets the sessions that have ended by themselves."""
    ended = (session.c.expires_at <= now) | (session.c.used_at <= now - IDLE)
    connection.execute(delete(session).where(ended))
    connection.execute(
        insert(session).values(
            token_hash=_hash(token),
            user_name=user.user_name,
            **_rights(user, now),
            created_at=now,
            expires_at=now + LIFETIME,
            used_at=now,
        )
    )


def find(
    connection: Connection, token: str, now: datetime, hold: timedelta
) -> tuple[Session, datetime] | None:
    """Whose session it is, if it has not ended, and the moment that counts as now for answers;
    `hold` is how long rights last without the CHT.

    Records that it was used, once in five minutes, so that most requests write nothing.
    """
    token_hash = _hash(token)
    row = connection.execute(
        _FIND,
        {
            "token_hash": token_hash,
            "now": now,
            "used_after": now - IDLE,
            "asked_after": now - hold,
        },
    ).one_or_none()
    if row is None:
        return None
    if row.used_at <= now - _USE_RECORDED_EVERY:
        is_this = session.c.token_hash == token_hash
        connection.execute(update(session).where(is_this).values(used_at=now))
    return _session(row), row.moment


def _session(row: Row[Any]) -> Session:
    return Session(row.user_name, tuple(row.roles), tuple(row.facility_uuids), row.contact_uuid)


def claim(connection: Connection, now: datetime, limit: int) -> list[Due]:
    """Sessions whose rights are to be asked for; nobody else may claim them for a while."""
    due = (
        select(session.c.token_hash)
        .where(
            session.c.next_asking_at <= now,
            session.c.expires_at > now,
            session.c.used_at > now - IDLE,
        )
        .order_by(session.c.next_asking_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    rows = connection.execute(
        update(session)
        .where(session.c.token_hash == due.c.token_hash)
        .values(next_asking_at=now + LEASE)
        .returning(session)
    )
    return [Due(row.token_hash, _session(row), now) for row in rows]


def renew(connection: Connection, due: Due, user: Session) -> None:
    """Stores the rights; an answer that was overtaken by a later one changes nothing."""
    connection.execute(
        update(session)
        .where(session.c.token_hash == due.token_hash, session.c.rights_at < due.claimed_at)
        .values(**_rights(user, due.claimed_at))
    )


def end(connection: Connection, token: str) -> None:
    connection.execute(delete(session).where(session.c.token_hash == _hash(token)))


def end_all_of(connection: Connection, user_name: str, before: datetime) -> None:
    """Ends the sessions that the user began before this moment: the account was gone then."""
    connection.execute(
        delete(session).where(session.c.user_name == user_name, session.c.rights_at < before)
    )


def _rights(user: Session, now: datetime) -> dict[str, object]:
    return {
        "roles": list(user.roles),
        "facility_uuids": list(user.facility_uuids),
        "contact_uuid": user.contact_uuid,
        "rights_at": now,
        "next_asking_at": now + ASKED_EVERY,
    }


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
