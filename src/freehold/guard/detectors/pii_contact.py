"""How somebody is reached: mail, telephone, network addresses, pages of their own."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from freehold.guard.detectors.patterns import LETTERS, Hit, Pattern
from freehold.guard.detectors.pii_words import IP_NOT, NOBODY, PHONE, PHONE_AFTER, SITE, near, said

_DATE = re.compile(r"(?:\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d{2})\Z")
_INSIDE = re.compile(r"(?:[\d][.,:/\-]|[#_=+\-/\\])\Z")
_ON = re.compile(r"\A(?:[.,:/\-]\d|[_@=%])")
_SSN = re.compile(r"\d{3}[- ]\d{2}[- ]\d{4}\Z")
_YEARS = re.compile(r"(?:19|20)\d{2} ?[-–] ?(?:19|20)\d{2}\Z")  # noqa: RUF001 - people write this dash


def numbers(text: str) -> str:
    """The digits alone."""
    return "".join(one for one in text if one.isdecimal() and one.isascii())


def _email(hit: Hit) -> float:
    local, _, domain = hit.value.partition("@")
    if local.startswith(".") or ".." in hit.value or domain.startswith("-"):
        return 0
    return 1.0


def _alone(hit: Hit) -> bool:
    """Is it a number by itself, not a part of a longer one, a decimal or a path?"""
    return not _INSIDE.search(hit.before) and not _ON.match(hit.after)


def _talked_of(hit: Hit) -> bool:
    return near(PHONE, hit.before) or PHONE_AFTER.match(hit.after) is not None


def _international(hit: Hit) -> float:
    digits = numbers(hit.value.split("x")[0])
    if hit.value.startswith("00"):
        digits = digits[2:]
    if not 8 <= len(digits) <= 15 or hit.before[-1:].isalnum() or "0000000" in digits:
        return 0
    return _plausible("+" + digits, talked=_talked_of(hit))


def _plausible(number: str, *, talked: bool) -> float:
    """What the numbering plans say of a number with its country code."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return 0
    if phonenumbers.is_valid_number(parsed):
        return 1.0
    if phonenumbers.is_possible_number(parsed):
        return 0.8 if talked else 0.6
    return 0.6 if talked else 0


def _american(hit: Hit) -> float:
    digits = numbers(re.split(r"[xXe]", hit.value)[0])[-10:]
    if not _alone(hit) or digits[1:3] == "11" or digits[4:6] == "11":
        return 0
    if _talked_of(hit):
        return 0.9
    return 0 if near(NOBODY, hit.before, 48) else 0.6


def _national(hit: Hit) -> float:
    digits = numbers(re.split(r"[xXe]", hit.value)[0])
    if not 7 <= len(digits) <= 12 or not _alone(hit) or _SSN.match(hit.value):
        return 0
    if _DATE.match(hit.value) or _YEARS.match(hit.value) or near(NOBODY, hit.before, 40):
        return 0
    return 0.85 if _talked_of(hit) else 0


def _address4(hit: Hit) -> float:
    if re.search(r"[\d.]\Z", hit.before) or re.match(r"\A\.?\d", hit.after) or near(IP_NOT, hit.before, 16):
        return 0
    try:
        found = IPv4Address(hit.value)
    except AddressValueError:
        return 0
    return 0.3 if found.is_loopback or found.is_unspecified else 0.95


def _address6(hit: Hit) -> float:
    port = hit.value.count(":") == 7 and re.match(r"\A:\d", hit.after)
    if re.search(r"[\w:.]\Z", hit.before) or (re.match(r"\A[\w:]", hit.after) and not port):
        return 0
    if not any(map(str.isdigit, hit.value)):
        return 0
    try:
        found = IPv6Address(hit.value)
    except AddressValueError:
        return 0
    if found.is_loopback or found.is_unspecified:
        return 0.3
    return 0.95 if len([one for one in hit.value.split(":") if one]) > 2 else 0.5


def _hardware(hit: Hit) -> float:
    return 0 if re.search(r"[\w:]\Z", hit.before) or re.match(r"\A[:\-]", hit.after) else 0.95


def _page(hit: Hit) -> float:
    return 0.6 if near(SITE, hit.before, 32) else 0.4


_HOST = (
    rf"(?:[{LETTERS}0-9](?:[{LETTERS}0-9-]{{0,40}}[{LETTERS}0-9])?\.){{1,5}}(?:[a-zA-Z]{{2,18}}|xn--[a-z0-9-]{{2,24}})"
)
_MORE = r"(?: ?(?:x|ext\.? ?)\d{1,6})?"
_TALK = f"{said(PHONE)}|number|office|home|work|direct|ext"
_GAP = r"[ .\-/\x{A0}\x{2011}]"

CONTACT: tuple[Pattern, ...] = (
    Pattern("EMAIL", rf"[{LETTERS}0-9._%+'&-]{{0,63}}[{LETTERS}0-9_%+-]@{_HOST}", _email),
    Pattern("IP", r"\d{1,3}(?:\.\d{1,3}){3}", _address4, after=2),
    Pattern("IP", r"(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{0,4}){2,7}", _address6, after=2),
    Pattern("MAC", r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}", _hardware),
    Pattern(
        "PHONE",
        rf"(?:\+|00[ \-]?)[1-9]\d{{0,2}}(?:{_GAP}?\(?\d{{1,10}}\)?){{1,6}}(?:x\d{{1,5}})?",
        _international,
        after=24,
    ),
    Pattern(
        "PHONE",
        r"(?:\+?1[ .\-]?)?(?:\([2-9]\d{2}\)[ \-]?|[2-9]\d{2}[ .\-])[2-9]\d{2}[ .\-]\d{4}(?: ?(?:x|ext\.? ?)\d{1,6})?",
        _american,
        after=24,
    ),
    Pattern("PHONE", rf"\(?0\d{{1,5}}\)?(?:{_GAP}?\(?\d{{2,8}}\)?){{1,5}}{_MORE}", _national, after=24, words=_TALK),
    Pattern("PHONE", rf"\(?[1-9]\d{{0,4}}\)?(?:{_GAP}?\d{{2,8}}){{1,5}}{_MORE}", _national, after=24, words=_TALK),
    Pattern(
        "URL",
        rf"(?:https?://|www\.){_HOST}(?::\d{{2,5}})?(?:/[{LETTERS}0-9._~%/@+\-]{{0,120}})?",
        _page,
        after=1,
    ),
    Pattern("URL", rf"[a-z]{{3,10}}://[^\s/:@]{{1,40}}:[^\s/@]{{1,60}}@{_HOST}"),
)
