"""Long polling of the changes feed: the CHT answers as soon as a database changes."""

import threading
from contextlib import suppress

from pipeline.cht.client import ChtClient
from pipeline.errors import WorklistError

SECONDS = 25.0


class LongPoll:
    """At most one open request for each database, on a thread of its own.

    A response, an error and the timeout are all a reason to sync.
    """

    def __init__(self, client: ChtClient, seconds: float = SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._open: set[str] = set()

    def is_quiet(self, database: str) -> bool:
        """Whether a request is open and unanswered."""
        return database in self._open

    def ask(self, database: str, sequence: str | None) -> None:
        self._open.add(database)
        # A daemon thread: the process can exit without the response.
        threading.Thread(target=self._wait, args=(database, sequence), daemon=True).start()

    def _wait(self, database: str, sequence: str | None) -> None:
        try:
            with suppress(WorklistError):
                self._client.wait_for_change(database, sequence, self._seconds)
        finally:
            self._open.discard(database)
