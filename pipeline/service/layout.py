"""What stands around every page of a signed-in user, and the programme's own words on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.service import language
from pipeline.service.dependencies import Context
from pipeline.service.list_view import MORE_TABS, TABS
from pipeline.worklist import freshness, programme, rules
from pipeline.worklist.records import Definition, Programme, Progress


@dataclass(frozen=True)
class Words:
    """What the CHT's own messages call things; what they leave out, the pages' texts say."""

    by_key: Mapping[str, str]

    def title(self, title: str) -> str:
        return self.by_key.get(title, title)

    def reason(self, code: str) -> str:
        return self.by_key.get(code) or language.spoken().coded("reason", code)

    def reasons(self, codes: str) -> str:
        """Of a select-multiple answer, whose codes the CHT separates by spaces."""
        return ", ".join(map(self.reason, codes.split()))


def values(
    context: Context, progress: Progress, current: str, shown: Iterable[str]
) -> dict[str, object]:
    """What stands around every page of a signed-in user; `current` is the tab it belongs to, and
    `shown` are what the page shows of the programme's own titles and reasons."""
    days = programme.days(context.connection)
    return {
        "viewer": context.viewer,
        "places": programme.place_names(context.connection, context.viewer.facility_uuids),
        "programme": days,
        "fresh": _freshness(context, days),
        "lacks": _lacks(context),
        "progress": progress,
        "tabs": _tabs(progress, current),
        "current": current,
        "words": _words(context, set(shown)),
        "cht": context.dependencies.cht_url,
    }


def _freshness(context: Context, days: Programme) -> freshness.Freshness:
    last_sync = context.dependencies.last_sync
    last = last_sync(context.connection) if last_sync else None
    return freshness.find(context.connection, days, last, context.now)


def codes(definitions: Iterable[Definition]) -> set[str]:
    """Their own titles and reasons."""
    return {code for one in definitions for code in (one.title, *one.reasons)}


def _words(context: Context, keys: set[str]) -> Words:
    code = language.spoken().code
    return Words(programme.translations(context.connection, code, keys) if keys else {})


def _lacks(context: Context) -> list[str]:
    """The keys of what the account is missing, and of what it is not for."""
    missing = rules.missing(context.viewer, programme.assigned_roles(context.connection))
    reads = ["reads"] if context.viewer.is_programme_wide and context.viewer.is_online else []
    return [f"viewer.{code}" for code in [*reads, *missing]]


def _tabs(progress: Progress, current: str) -> list[tuple[str, int]]:
    """Every standing that holds anything, so that nothing reported is out of reach."""
    counts = progress.count_by_standing
    shown = [*TABS, *(one for one in MORE_TABS if one in counts or one == current)]
    return [(one, counts.get(one, 0)) for one in shown]
