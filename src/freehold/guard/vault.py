"""Stand-ins for values, so that a rented model works on text without seeing them, and the way back.

Nothing is stored: a stand-in is drawn from the tenant's key, the conversation, the kind and the value, so that a
conversation sent again gets the same ones. What comes back is restored from the values that this call sent: a vault
belongs to one call. With the tenant's key gone nobody can draw its stand-ins again.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence

from freehold.core.errors import Internal
from freehold.guard.restoring import Known, Matcher, Restorer, any_of, core
from freehold.guard.stand_ins import DAYS, FORMS, NAMES, Draw, StandIn, code, invented, moved_day, name, squeezed

KEY_BYTES = 32
_PLAIN_TRIES = 6
"""Candidates in the form of the kind before codes are drawn."""
_ROUNDS = 8
_DAYS = (30, 180)
"""Fewest and most days that the dates of a conversation are moved by, all of them by as many."""

Span = tuple[int, int, str]
"""Start, end, and kind of a value in a text."""


class Vault:
    """The stand-ins of one call. Tell it the texts first (`avoid`), then ask for stand-ins in the texts' order."""

    def __init__(self, secret: bytes, conversation: str) -> None:
        """`secret` is the tenant's key; what is the same `conversation` gets the same stand-ins."""
        context = conversation.encode("utf-8", "surrogatepass")
        self._key = hmac.digest(secret, b"freehold/vault/v1\0" + context, "sha256")
        self._round = 0
        self._avoided: list[str] = []
        self._made: dict[tuple[str, str], str] = {}
        self._known: dict[str, Known] = {}
        self._owners: dict[str, str] = {}
        self._words: dict[str, str] = {}
        self._matchers: dict[bool, Matcher] = {}
        self._tight: set[tuple[str, str]] = set()
        """Values that letters or digits follow at once, or come before: forms that end nowhere do not fit there."""

    def __len__(self) -> int:
        """Values that have a stand-in."""
        return len(self._made)

    def avoid(self, text: str) -> None:
        """No stand-in drawn from now on stands in this text already."""
        self._avoided.append(squeezed(text))

    def stand_in(self, kind: str, value: str) -> str:
        """What goes out in place of `value`. It is no other value's, and stands in no avoided text."""
        found = self._made.get((kind, value))
        if found is None:
            made = self._draw(kind, value)
            found = self._made[kind, value] = made.text
            self._learn(made, value)
            for text, real in made.words:
                self._learn(StandIn(text, "name"), real)
            self._matchers.clear()
        return found

    def replaced(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> tuple[str, ...]:
        """The texts with stand-ins for these spans, which do not overlap within a text.

        Whatever the texts are, `restore` gives each back: where it would not, other stand-ins are drawn. Raises
        Internal where none were found that do.
        """
        for text, found in zip(texts, spans, strict=True):
            self.avoid(text)
            self._tight.update(
                (kind, text[start:end])
                for start, end, kind in found
                if _joins(text[start - 1 : start]) or _joins(text[end : end + 1])
            )
        while True:
            out = tuple(self._one(text, sorted(found)) for text, found in zip(texts, spans, strict=True))
            if all(self.restore(new) == old for new, old in zip(out, texts, strict=True)):
                return out
            if self._round > _ROUNDS:
                raise Internal("texts with stand-ins do not lead back to what they were")
            self._round += 1
            for kept in (self._made, self._known, self._owners, self._words, self._matchers):
                kept.clear()

    def sweep(self, text: str) -> str:
        """Stand-ins also where a value stands that no detector saw there: exactly as it was found, between other
        characters than letters and digits. Values of fewer than four characters are left; `restore` gives the same.
        """
        values = {one.value: one.made.text for one in self._known.values() if len(one.value) > 3}
        if not values:
            return text
        found = any_of([re.escape(one) for one in value] for value in sorted(values))
        pattern = re.compile(rf"(?<![^\W_])(?:{found})(?![^\W_])")
        swept = self._matcher(escaped=False).elsewhere(text, lambda part: pattern.sub(lambda one: values[one[0]], part))
        return swept if self.restore(swept) == self.restore(text) else text

    def restore(self, text: str, *, escaped: bool = False) -> str:
        """Values in place of their stand-ins; `escaped` where the text is JSON."""
        return self._matcher(escaped=escaped).restore(text)

    def restorer(self, *, escaped: bool = False) -> Restorer:
        """The same for a text that arrives in pieces. Ask for it when every stand-in of the call was drawn."""
        return Restorer(self._matcher(escaped=escaped))

    def _matcher(self, *, escaped: bool) -> Matcher:
        found = self._matchers.get(escaped)
        if found is None:
            found = self._matchers[escaped] = Matcher(self._known.values(), escaped=escaped)
        return found

    def _one(self, text: str, spans: Iterable[Span]) -> str:
        out: list[str] = []
        at = 0
        for start, end, kind in spans:
            out += (text[at:start], self.stand_in(kind, text[start:end]))
            at = end
        return "".join((*out, text[at:]))

    def _learn(self, made: StandIn, value: str) -> None:
        self._known.setdefault(made.text, Known(made, value))
        self._owners.setdefault(made.text, _identity(made, value))
        if made.shape in {"code", "number"}:
            self._owners.setdefault(squeezed(made.text), _identity(made, value))

    def _draw(self, kind: str, value: str) -> StandIn:
        attempt = 0
        while True:
            made = self._candidate(kind, value, attempt)
            if made is not None and self._free(made, value):
                return made
            attempt += 1

    def _candidate(self, kind: str, value: str, attempt: int) -> StandIn | None:
        draw = Draw(self._key, kind, _normal(kind, value), str(attempt), str(self._round))
        if (
            attempt >= _PLAIN_TRIES
            or self._round > _ROUNDS // 2
            or ((kind, value) in self._tight and kind not in NAMES)
        ):
            return code(draw, kind, 4 + attempt // 4)
        if kind in NAMES:
            return name(draw, value, self._word if attempt == 0 else lambda _: invented(draw))
        if kind in DAYS:
            least, most = _DAYS
            way = Draw(self._key, "days", str(attempt), str(self._round))
            return moved_day((least + way.below(most - least + 1)) * (1 if way.below(2) else -1), value)
        form = next((make for one, make in FORMS if one == kind), None)
        if form is None:
            return code(draw, kind, 4 + attempt // 4)
        return form(draw, value) if value.isascii() else None

    def _word(self, real: str) -> str:
        """The invented word for a word of a name: the same wherever it stands, and for no other."""
        found = self._words.get(real)
        attempt = 0
        while found is None:
            made = invented(Draw(self._key, "word", real, str(attempt), str(self._round)))
            if self._unseen(made.lower()) and made not in self._words.values():
                found = self._words[real] = made
            attempt += 1
        return found

    def _free(self, made: StandIn, value: str) -> bool:
        """Is it nobody else's, in no text, and without the value in it?"""
        new = squeezed(made.text)
        if not new or (len(value) > 1 and value.casefold() in made.text.casefold()):
            return False
        if len(core(value)) > 3 and core(value).lower() in new:
            return False
        for text, real in ((made.text, _identity(made, value)), *made.words):
            if self._owners.get(text, real) != real or not self._unseen(squeezed(text)):
                return False
        if made.shape in {"code", "number"}:
            return self._owners.get(new, _identity(made, value)) == _identity(made, value)
        return True

    def _unseen(self, text: str) -> bool:
        return not any(text in one for one in self._avoided)


def _identity(made: StandIn, value: str) -> str:
    """What two values must share to share a stand-in."""
    return core(value) if made.shape == "number" else value


def _joins(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _normal(kind: str, value: str) -> str:
    """What two writings of one value share."""
    return squeezed(value) if any(one == kind for one, _ in FORMS) else value.casefold()
