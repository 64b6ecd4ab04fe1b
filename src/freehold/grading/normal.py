"""Forms in which equal things look equal: texts, numbers, dates. Pure, linear in the length of the text."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_SPACES = re.compile(r"\s+")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "`": "'"})
_NUMBER = re.compile(r"[-+\u2212]?\s?[$\u20ac\u00a3]?\s?(?:\d[\d,'\u00a0_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_NUMERIC = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?!\d)")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[-/. ]+([A-Za-z]{3,9})\.?,?[-/. ]+(\d{4}|\d{2})(?!\d)")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EDGE = " \t\r\n\"'.,;:!?*_`#<>"


def spaced(text: str) -> str:
    """One blank for any run of white space, none at the ends; compatibility forms and curly quotes made plain."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).translate(_QUOTES)).strip()


def folded(text: str) -> str:
    """As `spaced`, without case."""
    return spaced(text).casefold()


def bare(text: str) -> str:
    """As `folded`, without quotes, punctuation and marks at either end."""
    return folded(text).strip(_EDGE)


def letters(text: str) -> str:
    """Letters and digits alone, without case: what is left when nobody cares about layout."""
    return "".join(one for one in folded(text) if one.isalnum())


def number_of(text: str) -> float | None:
    """The number that this text is, whatever its currency sign, thousands' commas or percent sign; None else."""
    cleaned = text.strip().strip("*").rstrip("%").strip()
    found = _NUMBER.fullmatch(cleaned)
    return None if found is None else _value(found.group())


def last_number(text: str) -> float | None:
    """The last number in a text."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    last = found[-1]
    token = last.group()
    # The minus of `10-3` and `June-5` is no sign.
    if token[0] in "-\u2212" and last.start() and text[last.start() - 1].isalnum():
        token = token[1:]
    return _value(token)


def _value(token: str) -> float | None:
    plain = "".join(one for one in token if one not in "$\u20ac\u00a3,'\u00a0_ ").replace("\u2212", "-")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def day_of(text: str, *, day_first: bool = True) -> date | None:
    """The date that begins a text, in the usual forms; None where there is none. `day_first` reads 04-06 as 4 June."""
    text = spaced(text)
    if found := _ISO.match(text):
        return _date(found.group(1), found.group(2), found.group(3))
    if found := _NUMERIC.match(text):
        first, second, year = found.groups()
        day, month = (first, second) if day_first else (second, first)
        return _date(year, month, day) or _date(year, day, month)
    if found := _DAY_MONTH.match(text):
        return _date(found.group(3), _month(found.group(2)), found.group(1))
    if found := _MONTH_DAY.match(text):
        return _date(found.group(3), _month(found.group(1)), found.group(2))
    return None


def _month(name: str) -> str:
    short = name[:3].casefold()
    return str(_MONTHS.index(short) + 1) if short in _MONTHS else "0"


def _date(year: str, month: str, day: str) -> date | None:
    full = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return date(full, int(month), int(day))
    except ValueError:
        return None
