"""Moderation by a served guard model: the port, what such models are asked, and how their answers are read.

Whoever implements the port asks through the door like everybody, by a key of its own; an answer that cannot be read is
no verdict, and whoever asked fails closed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from freehold.guard.types import Direction

Manner = Literal["hazards", "yes_no"]
"""How a model answers: `safe`, or `unsafe` and codes of hazards (Llama Guard 3 and 4); or yes for a violation, else no
(ShieldGemma, Granite Guardian)."""

HAZARDS: tuple[tuple[str, str], ...] = (
    ("S1", "violent_crimes"),
    ("S2", "non_violent_crimes"),
    ("S3", "sex_crimes"),
    ("S4", "child_exploitation"),
    ("S5", "defamation"),
    ("S6", "specialised_advice"),
    ("S7", "privacy"),
    ("S8", "intellectual_property"),
    ("S9", "weapons"),
    ("S10", "hate"),
    ("S11", "self_harm"),
    ("S12", "sexual"),
    ("S13", "elections"),
    ("S14", "code_abuse"),
)
"""Codes of the MLCommons taxonomy (AILuminate 1.0, 2024) as guard models use them, and our kinds."""


class Verdict(msgspec.Struct, frozen=True):
    """What a guard model says of a text. `kinds` is empty for harmless."""

    kinds: tuple[str, ...] = ()
    score: float = 1.0
    """In [0, 1]; 1 where the model gives none."""


class GuardModel(Protocol):
    """Judges texts. Slow: asked beside a call, or for what a pre-filter flags; never for each chunk of a stream."""

    async def judge(self, texts: Sequence[str], direction: Direction) -> Sequence[Verdict]:
        """One verdict a text. Raises FreeholdError where the model does not answer or cannot be understood."""


def question(text: str, direction: Direction, manner: Manner) -> list[dict[str, str]]:
    """The messages to send, in OpenAI's chat form. Guard models bring instructions of their own in their template."""
    said = [{"role": "user", "content": text}]
    if direction == "out":
        said = [{"role": "user", "content": "(not shown)"}, {"role": "assistant", "content": text}]
    if manner == "yes_no":
        who = "the user's message" if direction == "in" else "the assistant's answer"
        said.append({"role": "user", "content": f"Does {who} above break the safety policy? Answer yes or no."})
    return said


def verdict(answer: str, manner: Manner) -> Verdict | None:
    """What an answer says; None where it says neither. Only its first word, and codes after it, count."""
    words = re.findall(r"[A-Za-z0-9]+", answer)
    first = words[0].lower() if words else ""
    if manner == "yes_no":
        return {"yes": Verdict(("unsafe",)), "no": Verdict()}.get(first)
    if first == "safe":
        return Verdict()
    if first != "unsafe":
        return None
    names = dict(HAZARDS)
    return Verdict(tuple(dict.fromkeys(names[one.upper()] for one in words[1:] if one.upper() in names)) or ("unsafe",))
