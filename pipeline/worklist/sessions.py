"""Who is signed in: `app.session`. Holds hashes of tokens, no password and no CHT cookie.

A session ends when nobody used it for IDLE, when it is as old as LASTS, when the CHT could not be
asked for its rights for as long as they hold, when the account is gone, and by signing out.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from pipeline.statements import Statement
from pipeline.tables import session

IDLE = timedelta(hours=2)
LASTS = timedelta(hours=16)
# What the CHT takes away is gone here within five minutes; the rest is for asking.
EVERY = timedelta(minutes=4, seconds=30)
# An asking that came to nothing is repeated after this.
LEASE = timedelta(minutes=1)
_USED_TO_WITHIN = timedelta(minutes=5)
# Composed once, since every request asks it.
_FIND = Statement(
    select(session, func.app.worklist_now().label("now")).where(
        session.c.token_hash == bindparam("token_hash"),
        session.c.expires_at > bindparam("now"),
        session.c.used_at > bindparam("idle_since"),
        session.c.rights_at > bindparam("held_since"),
    )
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
            expires_at=now + LASTS,
            used_at=now,
        )
    )


def find(
    connection: Connection, token: str, now: datetime, hold: timedelta
) -> tuple[Session, datetime] | None:
    """Whose session it is, if it has not ended, and the moment that counts as now for answers;
    `hold` is how long rights last without the CHT.

    Notes that it was used, once in five minutes, so that most requests write nothing.
    """
    token_hash = _hash(token)
    limits = {"now": now, "idle_since": now - IDLE, "held_since": now - hold}
    row = _FIND.row(connection, {"token_hash": token_hash, **limits})
    if row is None:
        return None
    if row.used_at <= now - _USED_TO_WITHIN:
        is_it = session.c.token_hash == token_hash
        connection.execute(update(session).where(is_it).values(used_at=now))
    known = Session(row.user_name, tuple(row.roles), tuple(row.facility_uuids), row.contact_uuid)
    return known, row.now


def claim(connection: Connection, now: datetime, limit: int) -> list[Due]:
    """Sessions whose rights are to be asked for; nobody else is given them for a while."""
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
    return [
        Due(
            row.token_hash,
            Session(row.user_name, tuple(row.roles), tuple(row.facility_uuids), row.contact_uuid),
            now,
        )
        for row in rows
    ]


def renew(connection: Connection, due: Due, user: Session) -> None:
    """The CHT told the rights; an answer that was overtaken by a later one changes nothing."""
    connection.execute(
        update(session)
        .where(session.c.token_hash == due.token_hash, session.c.rights_at < due.claimed_at)
        .values(**_rights(user, due.claimed_at))
    )


def end(connection: Connection, token: str) -> None:
    connection.execute(delete(session).where(session.c.token_hash == _hash(token)))


def end_all_of(connection: Connection, user_name: str, before: datetime) -> None:
    """Ends what the user had begun before this moment: the account was gone then."""
    connection.execute(
        delete(session).where(session.c.user_name == user_name, session.c.rights_at < before)
    )


def _rights(user: Session, now: datetime) -> dict[str, object]:
    return {
        "roles": list(user.roles),
        "facility_uuids": list(user.facility_uuids),
        "contact_uuid": user.contact_uuid,
        "rights_at": now,
        "next_asking_at": now + EVERY,
    }


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
