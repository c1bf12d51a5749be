"""The cycle of `worklist run`: changes in the CHT reach the list, answers reach the CHT."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from pipeline.errors import WorklistError

PUBLISH_EVERY = timedelta(hours=1)
RECONCILE_EVERY = timedelta(days=1)
RECONCILE_AGAIN_AFTER = timedelta(hours=1)  # if it failed


@dataclass
class Cycle:
    """Runs the steps that are due; one that fails is logged once and retried in the next run.

    `sync` sets `changed` when it has written documents. Publication and reconciliation wait for a
    run without changes.
    """

    changed: Event
    sync: Callable[[], object]
    write_back: Callable[[], object]
    refresh: Callable[[], None]
    publish: Callable[[], None]
    reconcile: Callable[[], None]
    clock: Callable[[], datetime]
    log: Callable[[str], None]
    _published_at: datetime | None = None
    _reconcile_at: datetime | None = None
    _errors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changed.set()  # by what ran before

    def run_once(self) -> None:
        self._try("write back", self.write_back)
        self._try("sync", self.sync)
        if self.changed.is_set():
            self._try("refresh", self._refresh)
        elif self._is_publication_due():
            self._try("publish", self._publish)
        elif self._is_reconciliation_due():
            self._try("reconcile", self._reconcile)

    def _refresh(self) -> None:
        self.changed.clear()
        try:
            self.refresh()
        except WorklistError:
            self.changed.set()
            raise

    def _publish(self) -> None:
        self.publish()
        self._published_at = self.clock()

    def _reconcile(self) -> None:
        self._reconcile_at = self.clock() + RECONCILE_AGAIN_AFTER
        self.changed.set()  # also if it fails halfway
        self.reconcile()
        self._reconcile_at = self.clock() + RECONCILE_EVERY

    def _is_reconciliation_due(self) -> bool:
        return self._reconcile_at is None or self.clock() >= self._reconcile_at

    def _is_publication_due(self) -> bool:
        last = self._published_at
        return last is None or self.clock() - last >= PUBLISH_EVERY

    def _try(self, name: str, step: Callable[[], object]) -> None:
        try:
            step()
        except WorklistError as error:
            if self._errors.get(name) != str(error):
                self.log(f"{name}: {error}")
            self._errors[name] = str(error)
        else:
            if self._errors.pop(name, None):
                self.log(f"{name}: works again")
