"""What a reader does not see: invisible characters, look-alike letters, compatibility forms, stacked marks.

`fold` undoes them and says which stretch of the original each change came from. Pure, linear, and folding what was
folded changes nothing.
"""

# ruff: noqa: RUF001 - letters that pass for others are the matter of this file

from __future__ import annotations

import re
import unicodedata
from functools import cache

import msgspec

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Default-ignorable and format characters (Unicode 15.1, DerivedCoreProperties), and interlinear marks."""

TAGS = re.compile("[\U000e0000-\U000e007f]+")
_FLAG = re.compile("\U0001f3f4(?:\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
                   "|\U000e0077\U000e006c\U000e0073))\U000e007f")  # fmt: skip
"""The three flags that are written with tags: England, Scotland, Wales."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
"""More variation selectors in a row than any script has: bytes smuggled behind a character."""

_TOKEN = re.compile(r"\S+")
_ODD_SPACE = re.compile("[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2800\u3000]")
_WORD = re.compile(r"\w+")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")

# Letters drawn like Latin ones, by the letter they pass for. Facts of Unicode's confusables.txt and of the letters'
# shapes, chosen by us: Cyrillic, Greek, Armenian, Cherokee, Lisu, Coptic, IPA, small capitals, turned letters.
_LOOK_ALIKES = (
    ("a", "аɑαᴀɐⲁ"), ("b", "Ьʙᖯꮟɓ"), ("c", "сϲᴄⅽⲥɔ"), ("d", "ԁᴅɗժⅾ"), ("e", "еҽᴇɘǝєⲉ"), ("f", "ꜰſẝɟ"),
    ("g", "ɡɢցԌᶃƃ"), ("h", "һʜհɥⲏ"), ("i", "іɩıɪιӏᎥⲓ"), ("j", "јʝᴊϳ"), ("k", "κкᴋʞⲕ"), ("l", "ⅼʟլǀӀ"),
    ("m", "мᴍɯⅿⲙ"), ("n", "ոռɴпη"), ("o", "оοօᴏσⲟଠ"), ("p", "рρᴘⲣ"), ("q", "ԛգզɋ"), ("r", "гʀᴦⲅɹ"), ("s", "ѕꜱʂ"),
    ("t", "тτᴛʇⲧ"), ("u", "υսᴜʋц"), ("v", "ѵνᴠⅴʌ"), ("w", "ԝѡɯᴡʍաω"), ("x", "хχⅹ"), ("y", "уүγʏყʎⲩ"), ("z", "ᴢʐ"),
    ("A", "АΑᎪꓮⲀ"), ("B", "ВΒᏴꓐⲂ"), ("C", "СϹᏟꓚⅭⲤ"), ("D", "ᎠꓓⅮ"), ("E", "ЕΕᎬꓰⲈ"), ("F", "Ϝꓝ"), ("G", "ԌᏀꓖ"),
    ("H", "НΗᎻꓧⲎ"), ("I", "ІΙⅠⲒ"), ("J", "ЈᎫꓙ"), ("K", "КΚᏦꓗⲔ"), ("L", "ᏞꓡⅬ"), ("M", "МΜᎷꓟⅯⲘ"), ("N", "ΝꓠⲚ"),
    ("O", "ОΟՕꓳⲞ"), ("P", "РΡᏢꓑⲢ"), ("Q", "Ԛ"), ("R", "ᎡꓣƦ"), ("S", "ЅՏᏚꓢ"), ("T", "ТΤᎢꓔⲦ"), ("U", "Սꓴ"),
    ("V", "ᏙꓦⅤѴ"), ("W", "ᎳꓪԜ"), ("X", "ХΧꓫⅩⲬ"), ("Y", "УΥҮꓬⲨ"), ("Z", "ΖᏃꓜⲌ"),
)  # fmt: skip

_SIGNS = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "ʼ": "'", "′": "'", "“": '"', "”": '"', "„": '"', "‟": '"',
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "−": "-", "⁄": "/", "∕": "/", "․": ".", "ꓸ": ".", "‹": "<", "›": ">",
    }
)  # fmt: skip


class Edit(msgspec.Struct, frozen=True):
    """`old_start:old_end` of a text became `start:end` of another."""

    start: int
    end: int
    old_start: int
    old_end: int


class Folded(msgspec.Struct, frozen=True):
    """A text without what a reader does not see, and what was changed, by place."""

    text: str
    edits: tuple[Edit, ...] = ()


def smuggled(text: str) -> tuple[tuple[int, int, str], ...]:
    """Text written in characters nobody sees: (start, end, what it says), for tags and variation selectors.

    Tag characters repeat ASCII at U+E0000; 256 variation selectors can stand for the values of a byte. Neither has a
    use in prose; flags of three nations are left alone.
    """
    if text.isascii():
        return ()
    flags = {match.end() for match in _FLAG.finditer(text)}
    found = [
        (match.start(), match.end(), "".join(chr(ord(c) - 0xE0000) for c in match.group() if ord(c) >= 0xE0020))
        for match in TAGS.finditer(text)
        if match.end() not in flags
    ]
    for match in _SELECTORS.finditer(text):
        octets = bytes(ord(c) - 0xFE00 if ord(c) < 0xFF00 else ord(c) - 0xE0100 + 16 for c in match.group())
        found.append((match.start(), match.end(), octets.decode("utf-8", "replace")))
    return tuple(sorted(found))


def fold(text: str) -> Folded:
    """`text` as a reader sees it: invisible characters dropped, NFKC, look-alike letters as Latin where a word mixes
    scripts (or is spelled in look-alikes alone within a text mostly Latin), marks stacked on a letter dropped.
    """
    if text.isascii():
        return Folded(text)
    latin = _mostly_latin(text)
    pieces: list[str] = []
    edits: list[Edit] = []
    done = length = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token.isascii():
            continue
        plain = _fold_token(token, latin=latin)
        if plain == token:
            continue
        head, tail = _common(token, plain)
        start, end = match.start() + head, match.end() - tail
        pieces.append(text[done:start])
        length += start - done
        new = plain[head : len(plain) - tail]
        pieces.append(new)
        edits.append(Edit(length, length + len(new), start, end))
        length += len(new)
        done = end
    pieces.append(text[done:])
    return Folded(_ODD_SPACE.sub(" ", "".join(pieces)), tuple(edits))


def disguised(text: str) -> bool:
    """Are Latin words written so that a filter cannot read them: with invisible characters within, with letters of
    other scripts, or in letters of mathematics and the like? Typographic signs and other languages do not count.
    """
    if text.isascii():
        return False
    if _SPLIT.search(text) or len(_STYLED.findall(text)) >= 6:
        return True
    odd = _odd()
    mixed = sum(1 for word in _WORD.findall(text) if not word.isascii() and odd.search(word) and _ASCII.search(word))
    return mixed >= 2


_SPLIT = re.compile(f"[A-Za-z]{INVISIBLE.pattern}[A-Za-z]")
_STYLED = re.compile("[\U0001d400-\U0001d7ff\uff21-\uff5a\u24b6-\u24e9\U0001f130-\U0001f189\U0001f1e6-\U0001f1ff]")
_ASCII = re.compile("[A-Za-z]")


def _common(old: str, new: str) -> tuple[int, int]:
    """Characters that both begin with, and both end with."""
    most = min(len(old), len(new))
    head = 0
    while head < most and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < most - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


@cache
def _latin_of() -> dict[int, str]:
    """Look-alike letters by code point; letters in boxes and discs, and of flags, with them."""
    return {ord(letter): plain for plain, letters in _LOOK_ALIKES for letter in letters} | _boxes()


@cache
def _boxes() -> dict[int, str]:
    table: dict[int, str] = {}
    for first, letter in ((0x1F130, "A"), (0x1F150, "A"), (0x1F170, "A"), (0x1F1E6, "A")):
        table.update({first + place: chr(ord(letter) + place) for place in range(26)})
    return table


@cache
def _odd() -> re.Pattern[str]:
    return re.compile("[" + "".join(re.escape(chr(point)) for point in _latin_of()) + "]")


def _mostly_latin(text: str) -> bool:
    """Are more letters ASCII than of other scripts? Letters of words that mix both count as ASCII."""
    ascii_letters = others = 0
    seen = _MARKS.sub("", INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_boxes()))
    for word in _WORD.findall(seen):
        letters = len(word)
        if word.isascii() or any("a" <= c <= "z" or "A" <= c <= "Z" for c in word):
            ascii_letters += letters
        else:
            others += letters
    return ascii_letters > others


def _fold_token(token: str, *, latin: bool) -> str:
    plain = INVISIBLE.sub("", token)
    if not unicodedata.is_normalized("NFKC", plain):
        plain = INVISIBLE.sub("", unicodedata.normalize("NFKC", plain))
    if plain.isascii():
        return plain
    plain = _MARKS.sub("", plain.translate(_SIGNS))
    if _odd().search(plain):
        plain = _WORD_OR_BOX.sub(lambda match: _fold_word(match.group(), latin=latin), plain)
    return plain


_WORD_OR_BOX = re.compile("[\\w\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189\U0001f1e6-\U0001f1ff]+")


def _fold_word(word: str, *, latin: bool) -> str:
    """The word in Latin letters, where it passes for Latin: it has some, or all its letters look so in a Latin text."""
    if word.isascii():
        return word
    plain = word.translate(_latin_of())
    mixed = any("a" <= c <= "z" or "A" <= c <= "Z" for c in word)
    return plain if mixed or (latin and plain.isascii()) else word
