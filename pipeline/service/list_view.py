"""What of the list is shown; stands in the address, so that it can be kept and shared."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request

from pipeline.worklist.records import Filters

TABS = ("open", "verified", "expired")
MORE_TABS = ("resolved", "upcoming", "repeated", "excluded", "withdrawn")
ORDERS = ("missed", "area", "due", "name")
_TEXTS = ("q", "area", "definition", "reason", "flag")
_YES = "true"
PAGE_LENGTH = 20  # on a slow line, and no more than anybody answers before looking up
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
        """An address that makes no sense shows the list from its start."""
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
        """In another way than by what is searched for."""
        return self.order != View.order or self.unnarrowed() != self.query(q="", after=None)

    def unnarrowed(self) -> str:
        """The query of the whole list, from its start and in the same order."""
        return self.query(**dict.fromkeys(_TEXTS, ""), is_overdue=False, after=None)

    def query(self, **more: object) -> str:
        """The address's query; what is as usual is left out."""
        values = {**vars(self), **more}
        usual = vars(View())
        told = {key: value for key, value in values.items() if value != usual.get(key)}
        written = {key: _YES if value is True else value for key, value in told.items()}
        return f"?{urlencode(written)}" if written else ""


def _text(value: str) -> str:
    return value.replace("\0", "")[:_LONGEST].strip()


def uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
