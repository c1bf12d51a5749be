"""The cycle of `worklist run`: changes in the CHT reach the list, answers reach the CHT.

Every step is passed in; a step that cannot be done now is said once and tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from pipeline.errors import WorklistError

PUBLISH_EVERY = timedelta(hours=1)
RECONCILE_EVERY = timedelta(days=1)
RECONCILE_AGAIN = timedelta(hours=1)  # after one that failed, perhaps far on


@dataclass
class Cycle:
    """One turn after the other; `sync` sets `news` when documents were written.

    What can wait is done in a turn without news: first the publication, then the reconciliation.
    """

    news: Event
    sync: Callable[[], object]
    write_back: Callable[[], object]
    refresh: Callable[[], None]
    publish: Callable[[], None]
    reconcile: Callable[[], None]
    clock: Callable[[], datetime]
    say: Callable[[str], None]
    _published_at: datetime | None = None
    _reconcile_at: datetime | None = None
    _complaints: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.news.set()  # whatever came before

    def turn(self) -> None:
        self._try("write back", self.write_back)
        self._try("sync", self.sync)
        if self.news.is_set():
            self._try("refresh", self._refresh)
        elif self._is_publication_due():
            self._try("publish", self._publish)
        elif self._is_reconciliation_due():
            self._try("reconcile", self._reconcile)

    def _refresh(self) -> None:
        self.news.clear()
        try:
            self.refresh()
        except WorklistError:
            self.news.set()
            raise

    def _publish(self) -> None:
        self.publish()
        self._published_at = self.clock()

    def _reconcile(self) -> None:
        self._reconcile_at = self.clock() + RECONCILE_AGAIN
        self.news.set()  # what was repaired is refreshed, also where it failed halfway
        self.reconcile()
        self._reconcile_at = self.clock() + RECONCILE_EVERY

    def _is_reconciliation_due(self) -> bool:
        return self._reconcile_at is None or self.clock() >= self._reconcile_at

    def _is_publication_due(self) -> bool:
        last = self._published_at
        return last is None or self.clock() - last >= PUBLISH_EVERY

    def _try(self, name: str, step: Callable[[], object]) -> None:
        """A complaint is said when it is new, and once more when it is over."""
        try:
            step()
        except WorklistError as error:
            if self._complaints.get(name) != str(error):
                self.say(f"{name}: {error}")
            self._complaints[name] = str(error)
        else:
            if self._complaints.pop(name, None):
                self.say(f"{name}: works again")
