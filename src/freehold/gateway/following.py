"""An answer held to the JSON schema that its caller asked for, once it is whole.

A stream is passed on meanwhile: where it does not follow, and that is to be blocked, it ends with an error.
"""

from __future__ import annotations

from typing import Literal

from freehold.gateway.errors import AnswerBlocked
from freehold.gateway.messages import Format
from freehold.guard.detectors.schema import Schema
from freehold.guard.errors import BadProfile
from freehold.guard.types import Finding

DETECTOR = "schema"
Following = Literal["pass", "flag", "block"]


class Follows:
    """The schema of one call."""

    def __init__(self, schema: Schema | None, *, blocks: bool) -> None:
        """`schema` is None where it cannot be read here: then nothing is blocked, and each answer is told unchecked."""
        self._schema = schema
        self._blocks = blocks

    def look(self, text: str) -> Finding | None:
        """What is to be written down of an answer. Raises AnswerBlocked."""
        if self._schema is None:
            return Finding(detector=DETECTOR, kind="unchecked", start=0, end=len(text))
        faults = self._schema.faults(text)
        if not faults:
            return None
        if self._blocks:
            raise AnswerBlocked(f"the answer does not follow the schema that was asked for: {'; '.join(faults)}")
        return Finding(detector=DETECTOR, kind="mismatch", start=0, end=len(text))


def follows(wanted: Format | None, action: Following) -> Follows | None:
    """What an answer is held to; None where no schema was asked for, or nobody minds."""
    if action == "pass" or wanted is None or wanted.kind != "json_schema":
        return None
    try:
        return Follows(Schema(bytes(wanted.schema)), blocks=action == "block")
    except BadProfile:
        return Follows(None, blocks=False)
