"""Stretches of a text that are other text in a code of letters: base64, base32, hexadecimal, percent signs and kin.

Each decoder takes a matched stretch and gives what it says, or "" where it says nothing readable. Every pattern is a
run over one class of characters, so all of them together read a text a bounded number of times.
"""

# ruff: noqa: SIM905 - a list of signs reads best as signs

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
import urllib.parse
from collections.abc import Callable
from typing import NamedTuple

_LEAST = 4
"""Shortest decoded text worth a look."""


class Code(NamedTuple):
    """How a code looks and how it is undone."""

    name: str
    sign: str
    """A character without which the pattern cannot match; "" where there is none."""
    pattern: re.Pattern[str]
    decode: Callable[[str], str]


def readable(octets: bytes) -> str:
    """The text that bytes are in UTF-8 (or UTF-16), or "" where that is not what people write."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if text.count("\x00") * 3 > len(text):
        text = text.replace("\x00", "")
    if len(text) < _LEAST:
        return ""
    printable = sum(c.isprintable() or c in "\n\r\t" for c in text)
    letters = sum(c.isalnum() or c.isspace() for c in text)
    return text if printable == len(text) and letters * 10 >= len(text) * 6 else ""


def _base64(stretch: str) -> str:
    body = re.sub(r"[\s=]", "", stretch).replace("-", "+").replace("_", "/")
    body = body[: len(body) - (len(body) % 4 == 1)]
    try:
        return readable(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
    except (binascii.Error, ValueError):
        return ""


def _base32(stretch: str) -> str:
    body = stretch.rstrip("=").upper()
    try:
        return readable(base64.b32decode(body + "=" * (-len(body) % 8)))
    except (binascii.Error, ValueError):
        return ""


def _hexadecimal(stretch: str) -> str:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", stretch)
    return readable(bytes.fromhex(digits[: len(digits) & ~1]))


def _percent(stretch: str) -> str:
    return urllib.parse.unquote(stretch)


def _entities(stretch: str) -> str:
    return html.unescape(stretch)


def _escapes(stretch: str) -> str:
    r"""`\u0069`, `\u{69}`, `U+0069`."""
    points = [int(digits, 16) for digits in re.findall(r"[uU]\+?\{?([0-9a-fA-F]{2,6})", stretch)]
    return "".join(chr(point) for point in points if point < 0xD800 or 0xDFFF < point < 0x110000)


def _octal(stretch: str) -> str:
    return readable(bytes(int(digits, 8) & 255 for digits in re.findall(r"[0-7]{2,3}", stretch)))


def _binary(stretch: str) -> str:
    bits = re.sub(r"[^01]", "", stretch)
    return readable(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8)))


def _decimal(stretch: str) -> str:
    values = [int(digits) for digits in re.findall(r"\d+", stretch)]
    return readable(bytes(values)) if all(value < 256 for value in values) else ""


def _quoted(stretch: str) -> str:
    return readable(quopri.decodestring(stretch.encode("ascii", "ignore")))


_MORSE = dict(
    zip(
        """.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
        ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..-- ..--.. .----. -....- -..-.""".split(),
        "abcdefghijklmnopqrstuvwxyz0123456789.,?'-/",
        strict=True,
    )
)
"""ITU-R M.1677-1."""


_DOTS = str.maketrans("·•\u2212\u2013_", "..---")


def _morse(stretch: str) -> str:
    plain = stretch.translate(_DOTS)
    words = re.split(r"\s*[/|]\s*|\s{2,}|\n", plain.strip())
    text = " ".join("".join(_MORSE.get(sign, "") for sign in word.split()) for word in words)
    return text if sum(map(str.isalpha, text)) >= _LEAST else ""


_BRAILLE = dict(
    zip(
        (1, 3, 9, 25, 17, 11, 27, 19, 10, 26, 5, 7, 13, 29, 21, 15, 31, 23, 14, 30, 37, 39, 58, 45, 61, 53, 0),
        "abcdefghijklmnopqrstuvwxyz ",
        strict=True,
    )
)
"""Dots of Grade 1 braille as bits of U+2800."""


def _braille(stretch: str) -> str:
    return "".join(_BRAILLE.get(ord(c) - 0x2800, "") if "⠀" <= c <= "⣿" else c for c in stretch)


def _runes(first: int) -> Callable[[str], str]:
    def decode(stretch: str) -> str:
        return "".join(chr(ord(c) - first + 97) if first <= ord(c) < first + 26 else " " for c in stretch)

    return decode


def _base85(stretch: str) -> str:
    body = stretch.removeprefix("<~").removesuffix("~>")
    for decode in (base64.a85decode, base64.b85decode):
        try:
            plain = readable(decode(body))
        except ValueError:
            continue
        if plain:
            return plain
    return ""


def _joined(stretch: str) -> str:
    """`"ign" + "ore"`: literals put together by the reader."""
    return "".join(part for part in re.findall(r"[\"']([^\"']*)[\"']", stretch))


CODES: tuple[Code, ...] = (
    Code("base64", "", re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}"),
         _base64),
    Code("base32", "", re.compile(r"(?<![A-Za-z0-9])(?:[A-Z2-7]{16,}|[a-z2-7]{16,})={0,6}(?![A-Za-z0-9])"), _base32),
    Code("hex", "", re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:;\-]{0,2}){8,}(?![0-9A-Za-z])"),
         _hexadecimal),
    Code("percent", "%", re.compile(r"[!-~]*%[0-9A-Fa-f]{2}[!-~]*"), _percent),
    Code("entities", "&", re.compile(r"(?:[!-%'-~]*&(?:#\d{2,7}|#[xX][0-9a-fA-F]{2,6}|[a-zA-Z]{2,8});)+[!-%'-~]*"),
         _entities),
    Code("escapes", "", re.compile(r"(?:(?:\\[uU]\{?|[uU]\+)[0-9a-fA-F]{2,8}\}?[ ,]?){4,}"), _escapes),
    Code("octal", "\\", re.compile(r"(?:\\[0-7]{2,3}[ ,]?){4,}"), _octal),
    Code("binary", "", re.compile(r"(?<!\d)[01]{8}(?:[ ,\n]?[01]{8}){3,}(?!\d)"), _binary),
    Code("decimal", "", re.compile(r"(?<!\d)(?:\d{2,3}[ ,;]{1,2}){7,}\d{2,3}(?!\d)"), _decimal),
    Code("quoted", "=", re.compile(r"(?:[!-<>-~]*=[0-9A-F]{2}){3,}[!-<>-~]*"), _quoted),
    Code("morse", "", re.compile(r"(?:[.\-_·•\u2212\u2013]{1,6}[ /|\n]{1,3}){4,}[.\-_·•\u2212\u2013]{1,6}"), _morse),
    Code("braille", "", re.compile("[⠀-⣿][⠀-⣿\\s]{3,}"), _braille),
    Code("regional", "", re.compile("(?:[\U0001f1e6-\U0001f1ff][ \u200b]?){4,}[\U0001f1e6-\U0001f1ff \u200b]*"),
         _runes(0x1F1E6)),
    Code("base85", "", re.compile(r"(?<!\S)[!-~]{16,}(?!\S)"), _base85),
    Code("joined", "+", re.compile(r"[\"'][^\"'\n]{1,80}[\"'](?:\s?\+\s?[\"'][^\"'\n]{1,80}[\"'])+"), _joined),
)  # fmt: skip
