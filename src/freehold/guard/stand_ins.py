"""What a value's stand-in looks like, by kind: invented or reserved for examples, shaped like the value where it helps.

Everything is drawn from a keyed stream, so that the same key, kind and value give the same stand-in. No stand-in can
be somebody's: names are made of invented syllables, numbers lie in ranges that nobody is ever given.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Literal

import msgspec

Shape = Literal["name", "code", "number", "exact"]
"""How a stand-in is known again: `name` in any case, its words alone too; `code` in any case, its dash written in
any way; `number` with any separators between its characters; `exact` in any case."""

_ALPHABET = "23456789CDFGHJKMNPQRTVWX"
"""No vowels, and nothing that is mistaken for something else: a code spells no word."""
_ONSETS = (
    "bel", "bran", "cal", "cor", "dal", "dro", "fal", "fen", "gal", "gor", "hel", "hol", "jan", "jor", "kal", "kel",
    "lor", "lun", "mal", "mor", "nel", "nev", "or", "ost", "pel", "per", "quin", "ral", "ros", "sel", "sor", "tal",
    "tor", "ul", "val", "vel", "wen", "wor", "yor", "zan",
)  # fmt: skip
_MIDDLES = (
    "ab", "ad", "ag", "ak", "am", "av", "eb", "ed", "eg", "ek", "em", "ev", "ib", "id", "ig", "ik", "im", "iv", "ob",
    "od", "og", "ok", "om", "ov", "ub", "ud", "ug", "uk", "um", "uv",
)  # fmt: skip
_ENDS = (
    "andor", "arque", "aumont", "elnor", "enqua", "ethon", "ilqar", "imond", "intha", "ondry", "oreth", "ostrel",
    "umbry", "unvar", "ustane", "yldis",
)  # fmt: skip
_KEPT = frozenset(
    ("al", "and", "bin", "da", "das", "de", "del", "den", "der", "di", "do", "dos", "dr", "du", "el", "ibn", "la", "le",
     "miss", "mr", "mrs", "ms", "of", "prof", "sir", "ten", "ter", "und", "van", "von")
)  # fmt: skip
"""Words of a name that name nobody: they stay."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_ISO = re.compile(r"(\d{4})([-/.])(\d{2})\2(\d{2})\Z")
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})\Z")


class StandIn(msgspec.Struct, frozen=True):
    """One candidate."""

    text: str
    shape: Shape
    words: tuple[tuple[str, str], ...] = ()
    """Of a name: each of its words with what it stands for."""


class Draw:
    """An endless stream of numbers that only the key's holder can compute (HMAC-SHA256 in counter mode)."""

    def __init__(self, key: bytes, *context: str) -> None:
        parts = (one.encode("utf-8", "surrogatepass") for one in context)
        self._seed = hmac.digest(key, b"".join(len(one).to_bytes(4, "big") + one for one in parts), "sha256")
        self._count = 0

    def below(self, bound: int) -> int:
        """A number in [0, bound); biased by less than 2^-64."""
        self._count += 1
        return int.from_bytes(hmac.digest(self._seed, self._count.to_bytes(4, "big"), "sha256")[:16], "big") % bound

    def of(self, alphabet: str, length: int) -> str:
        """A string over an alphabet."""
        return "".join(alphabet[self.below(len(alphabet))] for _ in range(length))


def squeezed(text: str) -> str:
    """ASCII letters and digits alone, in lower case: what is left of a stand-in however it is written."""
    return re.sub(r"[^a-z0-9]+", "", text.casefold())


def code(draw: Draw, kind: str, length: int = 4) -> StandIn:
    """`Kind-7K2Q`: for kinds without a form of their own, and where a form does not fit."""
    return StandIn(f"{_title(kind)}-{draw.of(_ALPHABET, length)}", "code")


def invented(draw: Draw) -> str:
    """A word that is nobody's name, of nine letters or so."""
    parts = (_ONSETS, _MIDDLES, _ENDS)
    return "".join(one[draw.below(len(one))] for one in parts).capitalize()


def name(draw: Draw, value: str, word: Callable[[str], str]) -> StandIn | None:
    """A name of as many words in the same case; `word` gives the invented word for one of the value's, in small
    letters. None where the value holds more than words.
    """
    words: list[tuple[str, str]] = []

    def put(found: re.Match[str]) -> str:
        real = found[0]
        if real.casefold() in _KEPT:
            return real
        if len(real) < 2:
            return chr(ord("A") + draw.below(26))
        made = styled(word(real.casefold()), real)
        words.append((made, real))
        return made

    text = _WORD.sub(put, value)
    plain = text.isascii() and not any(one.isdigit() for one in text)
    return StandIn(text, "name", tuple(words)) if words and plain else None


def styled(text: str, like: str) -> str:
    """In capitals, or small, as the other is."""
    if like.isupper() and len(like) > 1:
        return text.upper()
    return text.lower() if like.islower() else text


def email(draw: Draw, value: str) -> StandIn:
    """At `example.invalid`, which RFC 2606 keeps from ever existing."""
    return StandIn(f"{invented(draw).lower()}.{draw.of(_ALPHABET, 3).lower()}@example.invalid", "exact")


def url(draw: Draw, value: str) -> StandIn:
    """A path below `example.invalid` (RFC 2606)."""
    return StandIn(f"https://example.invalid/{draw.of(_ALPHABET, 8).lower()}", "exact")


def card(draw: Draw, value: str) -> StandIn | None:
    """Luhn-valid, so that whoever checks it goes on; begins with 9999, national use (ISO/IEC 7812-1) in a country
    code that ISO 3166-1 leaves to users: no issuer has it.
    """
    size = len(squeezed(value))
    if not 12 <= size <= 19 or not squeezed(value).isdigit():
        return None
    body = "9999" + draw.of("0123456789", size - 5)
    doubled = sum(sum(divmod(int(one) * 2, 10)) if at % 2 == 0 else int(one) for at, one in enumerate(reversed(body)))
    return StandIn(laid(body + str(-doubled % 10), value), "number")


def iban(draw: Draw, value: str) -> StandIn | None:
    """Valid by ISO 7064 mod 97-10, in the country ZZ that ISO 3166-1 leaves to users."""
    real = squeezed(value)
    if not 15 <= len(real) <= 34:
        return None
    account = "".join(draw.of("0123456789" if one.isdigit() else "ABCDEFGHJKLMNPQRSTUVWXYZ", 1) for one in real[4:])
    check = 98 - int("".join(str(int(one, 36)) for one in f"{account}ZZ00")) % 97
    return StandIn(laid(f"ZZ{check:02d}{account}", value), "number")


def phone(draw: Draw, value: str) -> StandIn | None:
    """Of the North American plan: 555-0100 to 0199, kept for fiction, in a drawn area. Of others: +999, which
    ITU-T E.164 keeps unassigned; numbers without a + are written as dialled from abroad, 00999.
    """
    real = squeezed(value)
    if not real.isdigit() or not 7 <= len(real) <= 15:
        return None
    plus = value.lstrip(" (").startswith("+")
    if (len(real) == 11 and real[0] == "1") or (len(real) == 10 and not plus and real[0] in "23456789"):
        area = f"{2 + draw.below(8)}{draw.below(9)}{draw.below(10)}"
        return StandIn(laid(f"{real[:-10]}{area}55501{draw.below(100):02d}", value), "number")
    start = "999" if plus else "00999"
    if len(real) < len(start) + 4:
        return None
    return StandIn(laid(start + draw.of("0123456789", len(real) - len(start)), value), "number")


def ssn(draw: Draw, value: str) -> StandIn | None:
    """900 to 999 with group 00: neither the numbers of the SSA nor those of the IRS begin so."""
    if len(squeezed(value)) != 9 or not squeezed(value).isdigit():
        return None
    return StandIn(laid(f"9{draw.below(100):02d}00{draw.below(10000):04d}", value), "number")


def address_of_host(draw: Draw, value: str) -> StandIn:
    """In 198.18.0.0/15 (RFC 2544, never routed); of IPv6 in 2001:db8::/32 (RFC 3849, documentation)."""
    if ":" in value:
        return StandIn("2001:db8:" + ":".join(draw.of("123456789abcdef", 4) for _ in range(6)), "exact")
    return StandIn(f"198.{18 + draw.below(2)}.{draw.below(256)}.{draw.below(256)}", "exact")


def moved_day(days: int, value: str) -> StandIn | None:
    """A date so many days away, written as the value is; None where it is not a date in figures."""
    iso, other = _ISO.match(value), _DAY_FIRST.match(value)
    try:
        if iso:
            moved = date(int(iso[1]), int(iso[3]), int(iso[4])) + timedelta(days)
            return StandIn(f"{moved.year:04d}{iso[2]}{moved.month:02d}{iso[2]}{moved.day:02d}", "exact")
        if other:
            month_first = int(other[3]) > 12
            first, second = (int(other[3]), int(other[1])) if month_first else (int(other[1]), int(other[3]))
            moved = date(int(other[4]), second, first) + timedelta(days)
            left, right = (moved.month, moved.day) if month_first else (moved.day, moved.month)
            return StandIn(f"{left:02d}{other[2]}{right:02d}{other[2]}{moved.year:04d}", "exact")
    except (ValueError, OverflowError):
        return None
    return None


FORMS: tuple[tuple[str, Callable[[Draw, str], StandIn | None]], ...] = (
    ("BANK_ACCOUNT_IBAN", iban),
    ("CARD", card),
    ("CREDIT_CARD", card),
    ("EMAIL", email),
    ("EMAIL_ADDRESS", email),
    ("IBAN", iban),
    ("IBAN_CODE", iban),
    ("IP", address_of_host),
    ("IP_ADDRESS", address_of_host),
    ("PHONE", phone),
    ("PHONE_NUMBER", phone),
    ("SSN", ssn),
    ("URL", url),
    ("US_SSN", ssn),
)
"""Kinds with a form of their own beside names and dates."""
DAYS = frozenset({"BIRTH_DATE", "DATE", "DATE_OF_BIRTH", "DATE_TIME", "DOB"})
NAMES = frozenset({"NAME", "PERSON", "PERSON_NAME"})


def laid(core: str, like: str) -> str:
    """The characters of `core` in place of the letters and digits of `like`; what is left over is left out."""
    rest = iter(core)
    return "".join(next(rest, "") if one.isascii() and one.isalnum() else one for one in like)


def _title(kind: str) -> str:
    words = re.sub(r"[^A-Za-z]+", " ", kind).title().replace(" ", "")
    return words[:16] or "Value"
