"""WordPiece, as BERT's uncased vocabularies are read: words and marks apart, accents off, longest known piece first.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers". Pure; the same text gives the same ids.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_LONGEST_WORD = 100
"""Characters; a longer word is unknown, as in the reference tokenizer."""
_LONGEST_TEXT = 20_000
"""Characters that are looked at: far more than the encoder reads."""
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""The blocks the reference tokenizer takes for Chinese."""
WORD_START = "\u2581"
"""Begins a piece that begins a word, in the engine's form of a vocabulary."""


class WordPiece:
    """A vocabulary, ready to cut texts. `tokens` are in the engine's form, as `bert.piece` writes them."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._ids = {token: number for number, token in enumerate(tokens)}
        self._unknown = self._ids["[UNK]"]
        self._first, self._last = self._ids["[CLS]"], self._ids["[SEP]"]

    def ids(self, text: str, most: int) -> list[int]:
        """Token ids of a text with its marks of begin and end, at most `most` in all."""
        found = [self._first]
        for word in _words(text[:_LONGEST_TEXT]):
            found += self._pieces(word)
            if len(found) >= most:
                break
        return [*found[: most - 1], self._last]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            end = len(word)
            while end > start:
                piece = word[start:end] if start else WORD_START + word[:end]
                number = self._ids.get(piece)
                if number is not None:
                    break
                end -= 1
            else:
                return [self._unknown]
            found.append(number)
            start = end
        return found


def _words(text: str) -> list[str]:
    """Lower case without accents; every mark, and every ideograph, is a word of its own."""
    apart = "".join(f" {one} " if _ideograph(one) else one for one in map(_cleaned, text))
    bare = "".join(one for one in unicodedata.normalize("NFD", apart) if unicodedata.category(one) != "Mn").lower()
    return "".join(f" {one} " if _mark(one) else one for one in bare).split()


def _cleaned(one: str) -> str:
    """Nothing for what no reader sees, a blank for any white space."""
    if one in "\t\n\r":
        return " "
    if one in "\0\ufffd" or unicodedata.category(one)[0] == "C":
        return ""
    return " " if one.isspace() else one


def _mark(one: str) -> bool:
    """Punctuation, and what of ASCII Unicode calls symbols, such as `$` and `+`."""
    return unicodedata.category(one)[0] == "P" or (one.isascii() and not one.isalnum() and not one.isspace())


def _ideograph(one: str) -> bool:
    return len(one) == 1 and any(first <= ord(one) <= last for first, last in _IDEOGRAPHS)
