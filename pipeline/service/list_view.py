"""Which part of the list is shown: in the URL, so that it can be bookmarked and shared."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request

from pipeline.worklist.records import Filters

TABS = ("open", "verified", "expired")
MORE_TABS = ("resolved", "upcoming", "repeated", "excluded", "withdrawn")
WITH_WARNINGS = ("open", "expired")
ORDERS = ("missed", "area", "due", "name")
_TEXTS = ("q", "area", "definition", "reason", "flag")
_YES = "true"
PAGE_LENGTH = 20  # small enough for a slow connection
_LONGEST = 100


@dataclass(frozen=True)
class View:
    standing: str = "open"
    q: str = ""
    area: str = ""
    definition: str = ""
    is_overdue: bool = False
    order: str = "missed"
    reason: str = ""
    flag: str = ""
    after: UUID | None = None

    @classmethod
    def read(cls, request: Request) -> "View":
        """Invalid values are as if left out."""
        given = request.query_params
        standing, order = given.get("standing", ""), given.get("order", "")
        return cls(
            standing=standing if standing in (*TABS, *MORE_TABS) else "open",
            order=order if order in ORDERS else "missed",
            is_overdue=given.get("is_overdue") == _YES,
            after=uuid(given.get("after", "")),
            **{name: _text(given.get(name, "")) for name in _TEXTS},
        )

    @property
    def filters(self) -> Filters:
        return Filters(
            standing=self.standing,
            search=self.q,
            area_uuid=self.area,
            definition=self.definition,
            is_overdue=self.is_overdue,
            reason=self.reason,
            flag=self.flag,
        )

    @property
    def is_narrowed(self) -> bool:
        return self.unnarrowed() != self.query(after=None)

    @property
    def is_sorted_out(self) -> bool:
        """Filtered or ordered, apart from the search."""
        return self.order != View.order or self.unnarrowed() != self.query(q="", after=None)

    def unnarrowed(self) -> str:
        """The query string of the whole list, from its start and in the same order."""
        return self.query(**dict.fromkeys(_TEXTS, ""), is_overdue=False, after=None)

    def query(self, **more: object) -> str:
        """The query string, without defaults."""
        values = {**vars(self), **more}
        default = vars(View())
        given = {
            key: _YES if value is True else value
            for key, value in values.items()
            if value != default.get(key)
        }
        return f"?{urlencode(given)}" if given else ""


def _text(value: str) -> str:
    return value.replace("\0", "")[:_LONGEST].strip()


def uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
