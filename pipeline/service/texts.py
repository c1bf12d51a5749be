"""Every word that people read on the pages, by key, in the languages that have a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from babel.plural import PluralRule

FOLDER = Path(__file__).parent / "languages"
USUAL = "en"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """A language as its file describes it; a text that counts has a form for each plural."""

    name: str
    plural: dict[str, str]
    months: list[str]
    texts: dict[str, str | dict[str, str]]


@dataclass(frozen=True)
class Texts:
    """What the pages say in one language; `code` is the name of its file."""

    code: str
    name: str
    plural: PluralRule
    months: tuple[str, ...]
    by_key: Mapping[str, str | dict[str, str]]

    def say(self, key: str, **values: object) -> str:
        """The text of `key`, with `{names}` filled in."""
        text = self.by_key[key]
        if not isinstance(text, str):
            raise TypeError(f"{key} counts: it needs a number")
        return text.format(**values)

    def count(self, key: str, number: int) -> str:
        forms = self.by_key[key]
        if isinstance(forms, str):
            raise TypeError(f"{key} does not count")
        return forms[self.plural(number)].format(count=number)

    def coded(self, kind: str, code: str) -> str:
        """The text of `kind.code`; a code without one, such as a programme's own, in words."""
        text = self.by_key.get(f"{kind}.{code}")
        return text if isinstance(text, str) else code.replace("_", " ").capitalize()

    def codes(self, kind: str) -> list[str]:
        """The codes that have a text."""
        start = f"{kind}."
        return [key.removeprefix(start) for key in self.by_key if key.startswith(start)]

    def problem(self, code: str) -> str:
        """Why an answer was not stored."""
        return self.say(f"problem.{code}" if f"problem.{code}" in self.by_key else "problem.other")

    def day(self, value: date) -> str:
        month = self.months[value.month - 1]
        return self.say("date.day", day=value.day, month=month, year=value.year)

    def moment(self, value: datetime, zone: str) -> str:
        local = value.astimezone(ZoneInfo(zone))
        return self.say("date.moment", day=self.day(local.date()), time=f"{local:%H:%M}")

    def day_of(self, value: datetime, zone: str) -> str:
        return self.day(value.astimezone(ZoneInfo(zone)).date())

    def time(self, value: datetime, zone: str, today: date) -> str:
        """Of today the time is enough."""
        local = value.astimezone(ZoneInfo(zone))
        return f"{local:%H:%M}" if local.date() == today else self.moment(value, zone)

    def age(self, born: date, today: date) -> str:
        """Years; below two years months."""
        months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
        if months < 24:
            return self.count("age.months", max(months, 0))
        return self.count("age.years", months // 12)


@cache
def languages() -> Mapping[str, Texts]:
    """By code, in the order of their codes. A file that cannot be used fails here, by its name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _read(path: Path) -> Texts:
    file = msgspec.yaml.decode(path.read_bytes(), type=_File)
    return Texts(path.stem, file.name, PluralRule(file.plural), tuple(file.months), file.texts)


def negotiate(accepted: str) -> Texts:
    """The best of ours for an Accept-Language header; what cannot be read counts for nothing."""
    known = languages()
    for tag in sorted(accepted.split(","), key=_weight, reverse=True):
        code = tag.split(";")[0].strip().lower()
        for wanted in (code, code.split("-")[0]):
            if wanted in known and _weight(tag) > 0:
                return known[wanted]
    return known[USUAL]


def _weight(tag: str) -> float:
    _, _, quality = tag.replace(" ", "").partition(";q=")
    try:
        return float(quality or 1)
    except ValueError:
        return 0.0
