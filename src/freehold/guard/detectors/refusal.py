"""Does an answer refuse? By how it begins, in twelve languages.

Meant for asking somebody else instead, so it must rarely be wrong: what a model cannot do (browse, hear, know) is no
refusal, and an answer that goes on to help is half one. What dialects say in fields of their own the gateway knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any

from freehold.guard.types import Finding, Piece

HEAD = 320
"""Characters of the beginning that decide."""
_SHORT = 900
"""Longer answers that begin with a refusal usually help with another part: half as sure."""


class Refusal:
    """Judges an answer from its beginning."""

    name = "refusal"
    version = "1"
    kinds = ("refusal",)
    span = 0
    context = 0

    def find(self, piece: Piece) -> Sequence[Finding]:
        """One finding over the whole text, or none."""
        score = self.score(piece.text)
        if score < 0.5:
            return []
        return [Finding(detector=self.name, kind="refusal", start=0, end=len(piece.text), score=score)]

    def score(self, text: str) -> float:
        """How sure: .95 for a plain refusal, .6 for one that helps after all or is long, 0 for none."""
        head = _plain(text[: HEAD * 2])[:HEAD]
        if not self._opens.search(head) or self._unable.search(head):
            return 0.0
        return 0.6 if len(text) > _SHORT or self._helps.search(text) else 0.95

    @cached_property
    def _parts(self) -> dict[str, str]:
        return patterns()

    @cached_property
    def _opens(self) -> Any:
        return _compiled(rf"\A\W*(?:{self._parts['GREETING']})?(?:{self._parts['']})")

    @cached_property
    def _unable(self) -> Any:
        return _compiled(self._parts["UNABLE"])

    @cached_property
    def _helps(self) -> Any:
        return _compiled(self._parts["YET"])


def patterns() -> dict[str, str]:
    """The rows of `refusal.tsv`: the parts by name, and under "" the beginnings of all languages as one pattern."""
    parts: dict[str, str] = {}
    openers: list[str] = []
    for line in files("freehold.guard.detectors").joinpath("refusal.tsv").read_text("utf-8").splitlines():
        name, _, pattern = line.partition("\t")
        for part, inner in parts.items():
            pattern = pattern.replace(f"{{{part}}}", inner)
        if name.isupper():
            parts[name] = pattern
        elif not line.startswith("#"):
            openers.append(pattern)
    return {**parts, "": "|".join(openers)}


def _plain(text: str) -> str:
    """One kind of apostrophe and space, no emphasis, so that patterns need to know one writing."""
    text = re.sub(r"[\u2018\u2019\u02bc`\u00b4]", "'", text).replace("\u00a0", " ")
    return (
        re.sub(r"[*_]{1,3}|(?<=\S) {2,}", lambda one: " " if one[0].isspace() else "", text)
        .strip()
        .replace("\n", " ", 1)
    )


def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.never_capture = True
    options.max_mem = 64 << 20
    return re2.compile(f"(?i){pattern}", options)
