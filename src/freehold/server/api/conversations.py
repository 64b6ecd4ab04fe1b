"""What was said in a call, over the management API: turns in words, with what a guard finds in them marked.

Who may not read bodies is told who spoke and how much, never what. Reading words is written into the audit.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response

from freehold.core.errors import BadConfig, FreeholdError, NotFound
from freehold.core.ids import from_text
from freehold.gateway.outgoing import CHATS
from freehold.guard.profile import Guard, compile_profile
from freehold.guard.settings import profiles
from freehold.guard.trial import Told, tried
from freehold.guard.types import Direction, Source
from freehold.identity.roles import permissions
from freehold.ledger import store
from freehold.ledger.records import CallRecord
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.workflows.collect import canonical_request, canonical_response
from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.exchange import exchange
from freehold.workflows.records import LIVE, Record

router = APIRouter(prefix="/api/calls", tags=["calls"])

Reader = Annotated[Actor, Depends(Allowed("calls:read"))]
MOST_CHARACTERS = 200_000
"""Of one turn; a longer one is cut, and says so."""
MARKED_CHARACTERS = 20_000
"""A guard looks at turns up to this length: a page does not wait for more."""
_SOURCES: dict[str, Source] = {"system": "system", "assistant": "assistant", "tool": "tool"}


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a conversation. `text` is None where the asker's role may not read it."""

    role: str
    side: str
    """`request` or `answer`."""
    characters: int
    text: str | None
    marks: tuple[Told, ...] = ()
    """What the guard of the call finds in it; places are in characters of the text."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept of a call, as turns."""

    turns: tuple[Turn, ...]
    readable: bool
    """May the asker read the words?"""
    guard: str
    """Profile by which it is marked, as it is now; empty where no guard looked at the call."""
    missing: tuple[str, ...]
    """Sides that were not kept, are erased, or cannot be told as a chat."""


FORMS = (Conversation,)


@router.get("/{call}/conversation", responses=described(Conversation))
def conversation(call: str, instance: Served, actor: Reader) -> Response:
    """A call's kept bodies as turns, in whatever dialect it came; words only for who may read bodies."""
    readable = "bodies:read" in permissions(actor.role)
    with instance.reading() as connection:
        record = store.show_call(connection, call).call
        digests = store.body_digests(connection, call)
    if record.dialect not in CHATS or not digests:
        missing = tuple(side for side in ("request", "response") if side not in digests) or ("request", "response")
        return answer(Conversation(turns=(), readable=readable, guard="", missing=missing))
    kept, missing = _kept(instance, record, digests)
    if readable:
        instance.note(actor.name, "body.read", {"call": call, "side": "conversation"})
    guard = _guard(instance, record) if readable else None
    turns = tuple(_turn(role, side, text, guard, readable=readable) for role, side, text in _said(kept))
    name = guard.profile.name if guard else ""
    return answer(Conversation(turns=turns, readable=readable, guard=name, missing=missing))


def _kept(instance: Instance, record: CallRecord, digests: dict[str, bytes]) -> tuple[Record, tuple[str, ...]]:
    """What is there in canonical form, and the sides that are not."""
    request, response, missing = b"{}", b"", []
    for side in ("request", "response"):
        try:
            if side not in digests:
                raise NotFound(f"no {side} is kept")
            body = instance.bodies.open(digests[side])
            if side == "request":
                request = msgspec.json.encode(canonical_request(record.dialect, body)[0])
            else:
                response = msgspec.json.encode(canonical_response(record.dialect, body, stream=record.stream))
        except (FreeholdError, NotACall, Unreadable, msgspec.MsgspecError, UnicodeDecodeError):
            missing.append(side)
    made = Record(id=from_text(record.id), at=record.at, source=LIVE, model="", request=request, response=response)
    return made, tuple(missing)


def _said(record: Record) -> list[tuple[str, str, str]]:
    """Role, side and text of every turn, in order."""
    told = exchange(record)
    found = [("system", "request", told.system)] if told.system else []
    found += [(role, "request", text) for role, text in told.turns]
    if record.response:
        tools = [f"{one.name}({one.arguments})" for one in told.answer.tool_calls]
        found.append(("assistant", "answer", "\n".join([told.answer.text, *tools]).strip()))
    return found


def _turn(role: str, side: str, text: str, guard: Guard | None, *, readable: bool) -> Turn:
    if not readable:
        return Turn(role=role, side=side, characters=len(text), text=None)
    marks: tuple[Told, ...] = ()
    if guard is not None and text and len(text) <= MARKED_CHARACTERS:
        direction: Direction = "out" if side == "answer" else "in"
        marks = tried(guard, text, direction, _SOURCES.get(role, "user")).findings
    return Turn(role=role, side=side, characters=len(text), text=text[:MOST_CHARACTERS], marks=marks)


def _guard(instance: Instance, record: CallRecord) -> Guard | None:
    """The profile that looked at the call, as it is now."""
    name = (record.scan or {}).get("guard", "")
    found = next((one for one in profiles(instance.settings.guard) if one.name == name), None)
    if found is None:
        return None
    try:
        return compile_profile(found)
    except BadConfig:
        return None
