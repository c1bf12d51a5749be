"""What `worklist run` does in each cycle."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

from pipeline.continuous import Cycle
from pipeline.errors import Refused, Unavailable

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Cycles:
    """A cycle whose steps are recorded; `failing` ones raise."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.logged: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.now = NOON
        self.changed = Event()
        self.cycle = Cycle(
            changed=self.changed,
            sync=self.step("sync"),
            write_back=self.step("write back"),
            refresh=self.step("refresh"),
            publish=self.step("publish"),
            reconcile=self.step("reconcile"),
            clock=lambda: self.now,
            log=self.logged.append,
        )

    def step(self, name: str) -> Callable[[], None]:
        def take() -> None:
            if name in self.failing:
                raise self.failing[name]
            self.done.append(name)

        return take

    def run_once(self) -> list[str]:
        self.done.clear()
        self.cycle.run_once()
        return self.done.copy()

    def until_idle(self) -> list[str]:
        """The steps other than write-back and sync, until nothing is left to do."""
        done = [step for _ in range(8) for step in self.run_once()]
        return [step for step in done if step not in {"write back", "sync"}]


def test_a_refresh_follows_changes_and_a_publication_every_hour() -> None:
    cycles = Cycles()
    assert cycles.run_once() == ["write back", "sync", "refresh"]
    assert cycles.run_once() == ["write back", "sync", "publish"]
    cycles.until_idle()
    assert cycles.run_once() == ["write back", "sync"]
    cycles.changed.set()
    assert cycles.run_once() == ["write back", "sync", "refresh"]
    cycles.now += timedelta(hours=1)
    assert cycles.run_once() == ["write back", "sync", "publish"]
    assert cycles.run_once() == ["write back", "sync"]


def test_a_reconciliation_runs_every_day_and_is_followed_by_a_refresh() -> None:
    cycles = Cycles()
    assert cycles.until_idle() == ["refresh", "publish", "reconcile", "refresh"]
    cycles.now += timedelta(hours=23, minutes=59)
    assert cycles.until_idle() == ["publish"]
    cycles.now += timedelta(minutes=1)
    assert cycles.until_idle() == ["reconcile", "refresh"]


def test_a_reconciliation_that_fails_is_retried_in_an_hour() -> None:
    cycles = Cycles()
    cycles.failing["reconcile"] = Unavailable("away")
    assert cycles.until_idle() == ["refresh", "publish", "refresh"]
    assert cycles.logged == ["reconcile: away"]
    del cycles.failing["reconcile"]
    cycles.now += timedelta(minutes=59)
    assert cycles.until_idle() == []
    cycles.now += timedelta(minutes=1)
    assert cycles.until_idle() == ["publish", "reconcile", "refresh"]
    assert cycles.logged == ["reconcile: away", "reconcile: works again"]


def test_a_refresh_that_fails_is_retried_and_logged_once() -> None:
    cycles = Cycles()
    cycles.failing["refresh"] = Refused("contact failed")
    assert cycles.run_once() == cycles.run_once() == ["write back", "sync"]
    del cycles.failing["refresh"]
    assert cycles.run_once() == ["write back", "sync", "refresh"]
    assert cycles.logged == ["refresh: contact failed", "refresh: works again"]


def test_changes_are_refreshed_while_the_cht_is_down() -> None:
    cycles = Cycles()
    cycles.failing = {name: Unavailable("away") for name in ("sync", "write back")}
    assert cycles.run_once() == ["refresh"]
    assert cycles.logged == ["write back: away", "sync: away"]
