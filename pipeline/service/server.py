"""Runs the service until a signal comes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy

from pipeline import listening
from pipeline.service.app import build
from pipeline.service.collaborators import LastSync
from pipeline.service.entrance import Recognise, SignIn
from pipeline.service.rights import AskRights, Rights
from pipeline.worklist.run import Enqueue


def serve(
    engine: sqlalchemy.Engine,
    sign_in: SignIn,
    recognise: Recognise,
    ask_rights: AskRights,
    enqueue: Enqueue,
    programme_roles: Sequence[str],
    *,
    cht_url: str,
    hold: timedelta,
    host: str,
    port: int,
    trusted_proxies: Sequence[str],
    announce: Callable[[str], None],
    last_sync: LastSync | None = None,
) -> None:
    """A port of 0 is any free one; the address announced says which.

    Behind one of the trusted proxies the client's address and https are taken from its
    `X-Forwarded-` headers. SettingsWrong where the port is taken.
    """
    app = build(
        engine,
        sign_in,
        enqueue,
        programme_roles,
        recognise=recognise,
        cht_url=cht_url,
        hold=hold,
        last_sync=last_sync,
    )
    with listening.listen(host, port, "set WORKLIST_PORT or WORKLIST_HOST to another.") as door:
        announce(f"The worklist is at {listening.address(door)}")
        with _beside(Rights(engine, ask_rights)):
            listening.run(app, [door], trusted_proxies)


@contextmanager
def _beside(rights: Rights) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=rights.follow, args=(stop,), name="rights", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=2)
