"""Runs the service until a signal comes, in several processes."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import sqlalchemy

from pipeline import asgi_server, processes
from pipeline.service.app import build
from pipeline.service.authentication import Recognise, SignIn
from pipeline.service.dependencies import LastSync
from pipeline.service.rights_refresh import AskRights, Rights
from pipeline.service.waking import Wake

Send = Callable[[], None]

_MOST_PROCESSES = 4


def serve(
    engine: sqlalchemy.Engine,
    sign_in: SignIn,
    recognise: Recognise,
    ask_rights: AskRights,
    wake: Wake,
    send: Send,
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
    """A port of 0 is any free one; the address announced says which. `send` brings answers to the
    CHT until it is interrupted.

    Behind one of the trusted proxies the client's address and https are taken from its
    `X-Forwarded-` headers. SettingsWrong where the port is taken.
    """
    app = build(
        engine,
        sign_in,
        wake,
        programme_roles,
        recognise=recognise,
        cht_url=cht_url,
        hold=hold,
        last_sync=last_sync,
    )
    rights = Rights(engine, ask_rights)
    engine.dispose()  # a connection that is open now would be everybody's
    with asgi_server.listen(host, port, "set WORKLIST_PORT or WORKLIST_HOST to another.") as door:
        announce(f"The worklist is at {asgi_server.address(door)}")
        serving = partial(asgi_server.run, app, [door], trusted_proxies)
        processes.keep_running(
            {
                **{f"service {number + 1}": serving for number in range(_process_count())},
                "rights": rights.follow,
                "write-back": send,
            }
        )


def _process_count() -> int:
    """Python computes on one core in each process; beyond four PostgreSQL is what has none left."""
    return min(os.cpu_count() or 1, _MOST_PROCESSES)
