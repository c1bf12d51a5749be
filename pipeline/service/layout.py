"""What every page of a signed-in user shows around its content, and the programme's own terms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.service import language
from pipeline.service.dependencies import Context
from pipeline.service.list_view import MORE_TABS, TABS
from pipeline.worklist import freshness, reference_data, rules
from pipeline.worklist.records import Definition, Programme, Progress, Viewer


@dataclass(frozen=True)
class Terms:
    """Titles and reasons in the words of the CHT's own messages, else of the pages' catalogues."""

    by_key: Mapping[str, str]

    def title(self, title: str) -> str:
        return self.by_key.get(title) or language.current().gettext(title)

    def reason(self, code: str) -> str:
        return self.by_key.get(code) or language.current().label(f"reason.{code}")

    def reasons(self, codes: str) -> str:
        """Of a select-multiple answer, whose codes the CHT separates by spaces."""
        return ", ".join(map(self.reason, codes.split()))


def values(
    context: Context, progress: Progress, current: str, codes: Iterable[str]
) -> dict[str, object]:
    """What the template of every page needs. `current` is the tab that the page belongs to, and
    `codes` are the titles and reasons of the programme on it.
    """
    days = reference_data.days(context.connection)
    missing = rules.missing(context.viewer, reference_data.assigned_roles(context.connection))
    return {
        "viewer": context.viewer,
        "places": reference_data.place_names(context.connection, context.viewer.facility_uuids),
        "programme": days,
        "fresh": _freshness(context, days),
        "has_worklist": rules.has_worklist(context.viewer, missing),
        "notices": _notices(context.viewer, missing),
        "progress": progress,
        "tabs": _tabs(progress, current),
        "current": current,
        "words": _terms(context, set(codes)),
        "cht": context.dependencies.cht_url,
    }


def _freshness(context: Context, days: Programme) -> freshness.Freshness:
    last_sync = context.dependencies.last_sync
    last = last_sync(context.connection) if last_sync else None
    return freshness.find(context.connection, days, last, context.now)


def codes(definitions: Iterable[Definition]) -> set[str]:
    """Their own titles and reasons."""
    return {code for one in definitions for code in (one.title, *one.reasons)}


def _terms(context: Context, keys: set[str]) -> Terms:
    code = language.current().code
    return Terms(reference_data.translations(context.connection, code, keys) if keys else {})


def _notices(viewer: Viewer, missing: Sequence[rules.Missing]) -> list[str]:
    """Why there is no worklist, or what the viewer cannot do on it."""
    label = language.current().label
    if "online" in missing:
        return [label("viewer.online")]
    if not rules.has_worklist(viewer, missing):
        lacks = ", ".join(label(f"lack.{code}") for code in missing)
        return [label("viewer.no_worklist") % {"lacks": lacks}]
    reads = ["reads"] if viewer.is_programme_wide else []
    contact = ["contact"] if "contact" in missing else []
    return [label(f"viewer.{code}") for code in [*reads, *contact]]


def _tabs(progress: Progress, current: str) -> list[tuple[str, int]]:
    """With every standing that has tasks, so that nothing reported is out of reach."""
    counts = progress.count_by_standing
    shown = [*TABS, *(one for one in MORE_TABS if one in counts or one == current)]
    return [(one, counts.get(one, 0)) for one in shown]
