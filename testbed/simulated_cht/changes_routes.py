"""`GET /<database>/_changes`: at once, or once there are changes (`feed=longpoll`)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from testbed.simulated_cht.access import is_api_for, readable
from testbed.simulated_cht.accounts import Account
from testbed.simulated_cht.authentication import authenticated
from testbed.simulated_cht.changes import NO_LIMIT, Page
from testbed.simulated_cht.database import CouchRefusal, Database
from testbed.simulated_cht.request_parameters import LONGEST_WAIT, number, seconds
from testbed.simulated_cht.responses import COUCH_JSON, from_api
from testbed.simulated_cht.simulation import MEDIC

NOT_SIMULATED = ("filter", "doc_ids", "descending")


async def changes(request: Request) -> Response:
    account = authenticated(request)
    source = readable(request, account, offline=True)
    if is_api_for(MEDIC, request) and not account.is_online:
        return from_api(_offline_changes(source, account))
    if any(name in request.query_params for name in NOT_SIMULATED):
        raise CouchRefusal(501, "not_implemented", "The simulated CHT does not know this option.")
    reader = _Reader(request, source)
    feed = request.query_params.get("feed", "normal")
    if feed not in ("normal", "longpoll"):
        raise CouchRefusal(501, "not_implemented", "The simulated CHT does not know this feed.")
    return StreamingResponse(
        reader.longpoll() if feed == "longpoll" else reader.read(), media_type=COUCH_JSON
    )


class _Reader:
    """One request for changes, validated before the response begins."""

    def __init__(self, request: Request, source: Database) -> None:
        query = request.query_params
        self._source = source
        self._include_docs = query.get("include_docs") == "true"
        self._limit = number(request, "limit", NO_LIMIT)
        self._interval = number(request, "seq_interval", 1)
        self._beat = seconds(request, "heartbeat")
        self._timeout = seconds(request, "timeout") or LONGEST_WAIT
        since = query.get("since", "0")
        self._since = source.last_sequence() if since == "now" else since
        self._page = self._next_page()

    def _next_page(self) -> Page:
        return self._source.changes(self._since, limit=self._limit, interval=self._interval)

    async def read(self) -> AsyncIterator[bytes]:
        for chunk in self._page.chunks(include_docs=self._include_docs):
            yield chunk
            await asyncio.sleep(0)  # else the event loop sends several chunks in one write

    async def longpoll(self) -> AsyncIterator[bytes]:
        """CouchDB sends an empty line when it starts to wait and when it wakes."""
        if self._page.rows or not self._limit:
            async for chunk in self.read():
                yield chunk
            return
        yield b'{"results":[\n\n'
        async for line in self._until_changed():
            yield line
        for chunk in self._page.chunks(include_docs=self._include_docs, opening=b""):
            yield chunk

    async def _until_changed(self) -> AsyncIterator[bytes]:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        self._source.subscribe(wake)
        try:
            ends_at = loop.time() + self._timeout
            while True:
                changed.clear()  # before reading, or a write in between would be missed
                self._page = self._next_page()
                if self._page.rows:
                    yield b"\n"
                    return
                pause = self._beat or ends_at - loop.time()
                if pause <= 0:
                    return
                try:
                    await asyncio.wait_for(changed.wait(), pause)
                except TimeoutError:
                    if self._beat:
                        yield b"\n"
        finally:
            self._source.unsubscribe(wake)


def _offline_changes(source: Database, account: Account) -> dict[str, Any]:
    """A few configuration documents, whatever the parameters."""
    sequence = source.last_sequence()
    ids = (
        f"org.couchdb.user:{account.name}",
        "service-worker-meta",
        "_design/medic-client",
        "settings",
    )
    found = [document for document in map(source.find, ids) if document]
    rows = [
        {"seq": sequence, "id": document.id, "changes": [{"rev": document.revision}]}
        for document in found
    ]
    return {"results": rows, "last_seq": sequence}
