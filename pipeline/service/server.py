"""Runs the service until a signal comes."""

from collections.abc import Callable, Sequence

import sqlalchemy

from pipeline import listening
from pipeline.service.app import build
from pipeline.service.collaborators import LastSync, SignIn
from pipeline.worklist.run import Enqueue


def serve(
    engine: sqlalchemy.Engine,
    sign_in: SignIn,
    enqueue: Enqueue,
    programme_roles: Sequence[str],
    *,
    host: str,
    port: int,
    announce: Callable[[str], None],
    last_sync: LastSync | None = None,
) -> None:
    """A port of 0 is any free one; the address announced says which.

    Behind a proxy on the same machine the client's address and https are taken from its
    `X-Forwarded-` headers. SettingsWrong where the port is taken.
    """
    app = build(engine, sign_in, enqueue, programme_roles, last_sync=last_sync)
    with listening.listen(host, port, "set WORKLIST_PORT or WORKLIST_HOST to another.") as door:
        announce(f"The worklist is at {listening.address(door)}")
        listening.run(app, [door])
