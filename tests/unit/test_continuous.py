"""What `worklist run` does in a turn."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

from pipeline.continuous import Cycle
from pipeline.errors import Refused, Unavailable

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Turns:
    """A cycle whose steps are written down; `failing` ones raise."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.said: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.now = NOON
        self.news = Event()
        self.cycle = Cycle(
            news=self.news,
            sync=self.step("sync"),
            write_back=self.step("write back"),
            refresh=self.step("refresh"),
            publish=self.step("publish"),
            reconcile=self.step("reconcile"),
            clock=lambda: self.now,
            say=self.said.append,
        )

    def step(self, name: str) -> Callable[[], None]:
        def take() -> None:
            if name in self.failing:
                raise self.failing[name]
            self.done.append(name)

        return take

    def turn(self) -> list[str]:
        self.done.clear()
        self.cycle.turn()
        return self.done.copy()

    def until_idle(self) -> list[str]:
        """What is done beside writing back and syncing until nothing is left to do."""
        done = [step for _ in range(8) for step in self.turn()]
        return [step for step in done if step not in {"write back", "sync"}]


def test_a_refresh_follows_news_and_a_publication_each_hour() -> None:
    turns = Turns()
    assert turns.turn() == ["write back", "sync", "refresh"]
    assert turns.turn() == ["write back", "sync", "publish"]
    turns.until_idle()
    assert turns.turn() == ["write back", "sync"]
    turns.news.set()
    assert turns.turn() == ["write back", "sync", "refresh"]
    turns.now += timedelta(hours=1)
    assert turns.turn() == ["write back", "sync", "publish"]
    assert turns.turn() == ["write back", "sync"]


def test_a_reconciliation_follows_each_day_and_what_it_repaired_is_refreshed() -> None:
    turns = Turns()
    assert turns.until_idle() == ["refresh", "publish", "reconcile", "refresh"]
    turns.now += timedelta(hours=23, minutes=59)
    assert turns.until_idle() == ["publish"]
    turns.now += timedelta(minutes=1)
    assert turns.until_idle() == ["reconcile", "refresh"]


def test_a_reconciliation_that_fails_is_begun_anew_in_an_hour() -> None:
    turns = Turns()
    turns.failing["reconcile"] = Unavailable("away")
    assert turns.until_idle() == ["refresh", "publish", "refresh"]
    assert turns.said == ["reconcile: away"]
    del turns.failing["reconcile"]
    turns.now += timedelta(minutes=59)
    assert turns.until_idle() == []
    turns.now += timedelta(minutes=1)
    assert turns.until_idle() == ["publish", "reconcile", "refresh"]
    assert turns.said == ["reconcile: away", "reconcile: works again"]


def test_a_refresh_that_fails_is_tried_again_and_said_once() -> None:
    turns = Turns()
    turns.failing["refresh"] = Refused("contact failed")
    assert turns.turn() == turns.turn() == ["write back", "sync"]
    del turns.failing["refresh"]
    assert turns.turn() == ["write back", "sync", "refresh"]
    assert turns.said == ["refresh: contact failed", "refresh: works again"]


def test_news_is_refreshed_while_the_cht_is_away() -> None:
    turns = Turns()
    turns.failing = {name: Unavailable("away") for name in ("sync", "write back")}
    assert turns.turn() == ["refresh"]
    assert turns.said == ["write back: away", "sync: away"]
