"""Days and moments as JavaScript, the CHT's configurations and we ourselves read them. Pure.

Moments are milliseconds since 1970, as in the CHT.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_DIGITS = re.compile(r"\d{1,14}(\.\d{1,9})?")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1900, 2200)
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)


def moment_of_text(text: str) -> float | None:
    """An ISO moment; a bare day is midnight UTC, as in JavaScript."""
    if not _DAY.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return milliseconds(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def number(value: Any) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_one else None


def javascript_number(value: Any) -> float | None:
    """What a comparison with a number makes of a `reported_date`; ISO text is none."""
    return number(number_of_digits(value))


def number_of_digits(value: Any) -> Any:
    """The number that a text of digits holds; any other value as it is."""
    return float(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def javascript_date(value: Any) -> float | None:
    """What `new Date(value)` makes of a `reported_date`; digits in a text are no date."""
    return moment_of_text(value) if isinstance(value, str) else number(value)


def readable_moment(value: Any) -> float | None:
    """A `reported_date` in any form that we take: a number, its digits, ISO text."""
    moment = javascript_number(value)
    return javascript_date(value) if moment is None else moment


def readable_day(value: Any, zone: ZoneInfo) -> date | None:
    """The first ten characters as a calendar day, or the local day of milliseconds."""
    moment = number(value)
    if moment is not None:
        return local_day(moment, zone)
    found = _DAY.match(value) if isinstance(value, str) else None
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def is_believable_day(day: date) -> bool:
    return day.year in _YEARS


def is_believable_moment(moment: float) -> bool:
    """Whether a `reported_date` can be true, whenever it landed."""
    return milliseconds(_FIRST_MOMENT) <= moment < milliseconds(_LAST_MOMENT)


def believable_moment(value: Any) -> datetime | None:
    """When a document says that it was written, unless it cannot be true."""
    moment = readable_moment(value)
    is_one = moment is not None and is_believable_moment(moment)
    return _EPOCH + timedelta(milliseconds=moment or 0) if is_one else None


def rolled_over_day(value: Any, zone: ZoneInfo) -> date | None:
    """The same as `new Date(year, month - 1, day)` reads it: nothing is impossible."""
    found = _DAY.match(value) if isinstance(value, str) else None
    if not found:
        return readable_day(value, zone)
    year, month, day = map(int, found.groups())
    year += 1900 if year < 100 else 0
    years, months = divmod(month - 1, 12)
    if year + years > date.max.year:
        return date.max
    return shifted(date(year + years, months + 1, 1), day - 1)


def javascript_day(value: Any, zone: ZoneInfo) -> date | None:
    """The local day of `new Date(value)`: a bare day is midnight UTC, and null is 1970."""
    if value is None:
        return local_day(0, zone)
    if isinstance(value, str) and (found := _DAY.fullmatch(value)):
        _, month, day = map(int, found.groups())
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        rolled = rolled_over_day(value, zone)
        midnight = datetime.combine(rolled, time(), UTC) if rolled else None
        return local_day(milliseconds(midnight), zone) if midnight else None
    moment = javascript_date(value)
    return None if moment is None else local_day(moment, zone)


def shifted(day: date, days: int) -> date:
    """So many days later; the last day that Python knows stands for whatever comes after it."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def local_day(moment: float, zone: ZoneInfo) -> date:
    try:
        return (_EPOCH + timedelta(milliseconds=moment)).astimezone(zone).date()
    except (OverflowError, ValueError):
        return date.max if moment > 0 else date.min


def local_midnight(day: date, zone: ZoneInfo) -> float:
    """The first instant of the day; where clocks change at midnight the first of two."""
    return milliseconds(datetime.combine(day, time(), zone))


def milliseconds(moment: datetime) -> float:
    return (moment - _EPOCH) / timedelta(milliseconds=1)
