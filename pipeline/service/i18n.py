"""Languages of the pages: gettext catalogues from `locale`, and dates as CLDR writes them."""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from pipeline.service.messages_by_code import MESSAGES

FOLDER = Path(__file__).parent / "locale"
DEFAULT = "en"


@dataclass(frozen=True)
class Texts:
    """What the pages say in one language."""

    locale: Locale
    catalogue: gettext.NullTranslations

    @property
    def code(self) -> str:
        return self.locale.language

    @property
    def name(self) -> str:
        """As its speakers call it."""
        return (self.locale.language_name or self.code).capitalize()

    def gettext(self, message: str) -> str:
        return self.catalogue.gettext(message)

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.catalogue.ngettext(singular, plural, number)

    def label(self, key: str) -> str:
        """The message of `kind.code`; a code without one, such as a programme's own, in words."""
        if key not in MESSAGES:
            return key.partition(".")[2].replace("_", " ").capitalize()
        context, _, message = MESSAGES[key].rpartition("\x04")
        return self.catalogue.pgettext(context, message) if context else self.gettext(message)

    def problem(self, code: str) -> str:
        """Why an answer was not saved."""
        key = f"problem.{code}"
        return self.label(key if key in MESSAGES else "problem.other")

    def day(self, value: date) -> str:
        """In one line, as are moments."""
        return _unbroken(format_date(value, "medium", self.locale))

    def moment(self, value: datetime, zone: str) -> str:
        local = value.astimezone(ZoneInfo(zone))
        parts = {
            "day": self.day(local.date()),
            "time": format_time(local.time(), "short", locale=self.locale),
        }
        return _unbroken(self.gettext("%(day)s, %(time)s") % parts)

    def day_of(self, value: datetime, zone: str) -> str:
        return self.day(value.astimezone(ZoneInfo(zone)).date())

    def time(self, value: datetime, zone: str, today: date) -> str:
        """Without the day if that is today."""
        local = value.astimezone(ZoneInfo(zone))
        if local.date() == today:
            return format_time(local.time(), "short", locale=self.locale)
        return self.moment(value, zone)

    def age(self, born: date, today: date) -> str:
        """Years; below two years months."""
        months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
        months = max(months, 0)
        years = months // 12
        if years < 2:
            return self.ngettext("%(num)s month", "%(num)s months", months) % {"num": months}
        return self.ngettext("%(num)s year", "%(num)s years", years) % {"num": years}


def _unbroken(text: str) -> str:
    """With no-break spaces."""
    return text.replace(" ", "\u00a0")


@cache
def languages() -> Mapping[str, Texts]:
    """By code: English, as the messages are written, and every language that has a catalogue."""
    english = Texts(Locale("en", "GB"), gettext.NullTranslations())
    catalogues = sorted(FOLDER.glob("*/LC_MESSAGES/messages.po"))
    return {DEFAULT: english} | {path.parts[-3]: _read(path) for path in catalogues}


def _read(path: Path) -> Texts:
    """Compiled here, so that a translator's file needs no further step."""
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, abort_invalid=True))
    compiled.seek(0)
    return Texts(Locale.parse(path.parts[-3]), gettext.GNUTranslations(compiled))


def negotiate(accepted: str) -> Texts:
    """The best of ours for an Accept-Language header; unreadable parts of it are ignored."""
    tags = sorted(accepted.split(","), key=_quality, reverse=True)
    preferred = [tag.split(";")[0].strip() for tag in tags if _quality(tag) > 0]
    return languages()[negotiate_locale(preferred, list(languages()), sep="-") or DEFAULT]


def _quality(tag: str) -> float:
    _, _, quality = tag.replace(" ", "").partition(";q=")
    try:
        return float(quality or 1)
    except ValueError:
        return 0.0
