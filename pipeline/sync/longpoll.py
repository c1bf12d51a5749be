"""Has the CHT tell when a database changes, so that nobody needs to ask it again and again."""

import threading
from contextlib import suppress

from pipeline.cht.client import ChtClient
from pipeline.errors import WorklistError

SECONDS = 25.0


class Waiting:
    """For each database at most one open question, on a thread of its own.

    An answer, an error and the end of its time are all a reason to look, with every check.
    """

    def __init__(self, client: ChtClient, seconds: float = SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._waited_for: set[str] = set()

    def is_quiet(self, database: str) -> bool:
        """Whether the CHT was asked and has not answered yet."""
        return database in self._waited_for

    def ask(self, database: str, sequence: str | None) -> None:
        self._waited_for.add(database)
        # A daemon: a process that is told to end does not wait for the answer.
        threading.Thread(target=self._wait, args=(database, sequence), daemon=True).start()

    def _wait(self, database: str, sequence: str | None) -> None:
        try:
            with suppress(WorklistError):
                self._client.wait_for_change(database, sequence, self._seconds)
        finally:
            self._waited_for.discard(database)
