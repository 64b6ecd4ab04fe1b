"""Equality of JSON values as people mean it: 5 is 5.0, `New York` is `new york`, a list may have an order or none."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.grading.normal import day_of, folded, letters, number_of, spaced


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """What does not count when two values are compared."""

    relative: float = 1e-6
    """Of numbers."""
    text: str = "folded"
    """`exact`, `spaced` (white space), `folded` (and case), `letters` (and punctuation)."""
    coerce: bool = False
    """The text "5" equals the number 5."""
    ordered: bool = True
    """The order of lists counts."""
    dates: bool = False
    """Texts that are dates are compared as dates."""
    day_first: bool = True

    def same(self, one: Any, other: Any) -> bool:
        """Whether two JSON values are equal. Symmetric."""
        if isinstance(one, bool) or isinstance(other, bool):
            return one is other or (self.coerce and _truth(one) is not None and _truth(one) == _truth(other))
        if isinstance(one, int | float) and isinstance(other, int | float):
            return self._close(float(one), float(other))
        if isinstance(one, str) and isinstance(other, str):
            return self._same_text(one, other)
        if isinstance(one, list) and isinstance(other, list):
            return self._same_list(one, other)
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(self.same(value, other[key]) for key, value in one.items())
        if self.coerce and isinstance(one, str | int | float) and isinstance(other, str | int | float):
            first, second = number_of(str(one)), number_of(str(other))
            return first is not None and second is not None and self._close(first, second)
        return one is None and other is None

    def _close(self, one: float, other: float) -> bool:
        return abs(one - other) <= self.relative * max(abs(one), abs(other)) + 1e-12

    def _same_text(self, one: str, other: str) -> bool:
        if self._form(one) == self._form(other):
            return True
        if self.dates:
            first = day_of(one, day_first=self.day_first)
            if first is not None and first == day_of(other, day_first=self.day_first):
                return True
        if not self.coerce:
            return False
        first_number, second_number = number_of(one), number_of(other)
        return first_number is not None and second_number is not None and self._close(first_number, second_number)

    def _form(self, text: str) -> str:
        if self.text == "exact":
            return text
        if self.text == "spaced":
            return spaced(text)
        return folded(text) if self.text == "folded" else letters(text) or folded(text)

    def _same_list(self, one: list[Any], other: list[Any]) -> bool:
        if len(one) != len(other):
            return False
        if self.ordered:
            return all(self.same(a, b) for a, b in zip(one, other, strict=True))
        rest = list(other)
        for each in one:
            at = next((index for index, value in enumerate(rest) if self.same(each, value)), None)
            if at is None:
                return False
            del rest[at]
        return True


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}
    return known.get(value.strip().casefold()) if isinstance(value, str) else None
