"""What of the list is shown; stands in the address, so that it can be kept and shared."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request

from pipeline.worklist.records import Filters

TABS = ("open", "verified", "expired")
MORE_TABS = ("resolved", "upcoming", "excluded", "withdrawn")
ORDERS = ("missed", "area", "due", "name")
_LONGEST = 100


@dataclass(frozen=True)
class View:
    standing: str = "open"
    q: str = ""
    area: str = ""
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
            after=uuid(given.get("after", "")),
            **{name: _text(given.get(name, "")) for name in ("q", "area", "reason", "flag")},
        )

    @property
    def filters(self) -> Filters:
        return Filters(
            standing=self.standing,
            search=self.q,
            area_uuid=self.area,
            reason=self.reason,
            flag=self.flag,
        )

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q or self.area or self.reason or self.flag)

    @property
    def is_sorted_out(self) -> bool:
        """In another way than by what is searched for."""
        return self.order != View.order or bool(self.area or self.reason or self.flag)

    def query(self, **more: object) -> str:
        """The address's query; what is as usual is left out."""
        values = {**vars(self), **more}
        usual = vars(View())
        told = {key: value for key, value in values.items() if value != usual.get(key)}
        return f"?{urlencode(told)}" if told else ""


def _text(value: str) -> str:
    return value.replace("\0", "")[:_LONGEST].strip()


def uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
