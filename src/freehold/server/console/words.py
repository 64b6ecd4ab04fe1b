"""How values read on pages: the filters of the templates. Nothing is rounded to zero, nothing invented."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

NONE = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def money(value: object, places: int | None = None) -> str:
    """Dollars, from decimal text or a number: cents from a cent on, below that two figures that count."""
    if value in (None, ""):
        return NONE
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if places is None:
        places = 0 if size >= 1000 else 2
        if 0 < size < Decimal("0.01"):
            places = min(12, 1 - size.adjusted())
    return f"{sign}${size:,.{places}f}"


def count(value: object) -> str:
    """A whole number with its thousands apart."""
    if value is None:
        return NONE
    return f"{int(str(value).split('.')[0]):,}" if str(value).lstrip("-").split(".")[0].isdigit() else str(value)


def percent(value: object, places: int = 1) -> str:
    """A share of one as percent."""
    return NONE if value is None else f"{float(str(value)) * 100:.{places}f} %"


def points(value: object, places: int = 1) -> str:
    """A difference of shares, in percentage points, with its sign."""
    return NONE if value is None else f"{float(str(value)) * 100:+.{places}f} points"


def seconds(value: object) -> str:
    """A duration, from seconds."""
    if value is None:
        return NONE
    size = float(str(value))
    if size < 1:
        return f"{size * 1000:.0f} ms"
    if size < _MINUTE:
        return f"{size:.1f} s"
    if size < _HOUR:
        return f"{size / _MINUTE:.0f} min"
    return f"{size / _HOUR:.0f} h" if size < 2 * _DAY else f"{size / _DAY:.0f} days"


def when(value: object) -> str:
    """A time in UTC, from Unix seconds or ISO text."""
    if value in (None, "", 0, 0.0):
        return NONE
    if isinstance(value, str):
        return value.replace("T", " ").removesuffix("Z").split("+")[0][:19] + (" UTC" if "T" in value else "")
    return datetime.fromtimestamp(float(str(value)), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(value: object) -> str:
    """The day of a time."""
    return when(value)[:10]


def ago(value: object, now: float) -> str:
    """How long since a time, or until it."""
    if value in (None, ""):
        return NONE
    gap = now - float(str(value))
    return f"{seconds(gap)} ago" if gap >= 0 else f"in {seconds(-gap)}"


def size(value: object) -> str:
    """Bytes, in powers of 1,024."""
    if value is None:
        return NONE
    number, unit = float(str(value)), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007  the last one is used
        if number < 1024:
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


FILTERS = (
    ("ago", ago),
    ("count", count),
    ("day", day),
    ("money", money),
    ("percent", percent),
    ("points", points),
    ("seconds", seconds),
    ("size", size),
    ("when", when),
)
