"""Examples of a workflow put before what is asked, after the system's words: the artefact of the recipe `prompt`.

Nothing is trained and nothing else of a request changes, so whatever serves the model can serve it with examples.
"""

from __future__ import annotations

import msgspec

from freehold.core.errors import BadArtefact
from freehold.gateway.messages import Request, Text, ToolCall, Turn
from freehold.grading.types import Answer

FORMAT = "few-shot-1"
_SYSTEM = ("system", "developer")


class Shot(msgspec.Struct, frozen=True):
    """What was asked, and what was right to answer."""

    asked: str
    answer: Answer


class FewShot(msgspec.Struct, frozen=True, kw_only=True):
    """The artefact: one JSON file."""

    format: str = FORMAT
    workflow: str
    shots: tuple[Shot, ...]
    tokens: int
    """Estimated, of all shots."""


_decoder = msgspec.json.Decoder(FewShot)


def parse(data: bytes) -> FewShot:
    """Read an artefact. Raises BadArtefact for what is none."""
    try:
        found = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"these are no examples: {error}") from None
    if found.format != FORMAT or not found.shots:
        raise BadArtefact(f"the examples say {found.format!r} where {FORMAT} with examples is read")
    return found


def with_examples(request: Request, shots: tuple[Shot, ...]) -> Request:
    """The request with the examples as earlier turns, before the first turn that is not the system's."""
    at = next((i for i, turn in enumerate(request.turns) if turn.role not in _SYSTEM), len(request.turns))
    return msgspec.structs.replace(request, turns=(*request.turns[:at], *turns_of(shots), *request.turns[at:]))


def turns_of(shots: tuple[Shot, ...]) -> tuple[Turn, ...]:
    """The examples as turns, in their order."""
    made: list[Turn] = []
    for number, shot in enumerate(shots):
        calls = [
            ToolCall(id=f"example-{number}-{i}", name=one.name, arguments=one.arguments)
            for i, one in enumerate(shot.answer.tool_calls)
        ]
        text = [Text(shot.answer.text)] if shot.answer.text or not calls else []
        made += [Turn("user", (Text(shot.asked),)), Turn("assistant", (*text, *calls))]
    return tuple(made)
