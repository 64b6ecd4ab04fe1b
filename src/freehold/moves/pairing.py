"""Pairs out of recorded calls: what the other side would have answered, and how the two compare by the rule.

Which calls are compared is drawn from their ids, before any answer is read. Order is the order of the calls.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from freehold.core.money import to_pico
from freehold.evals.door import Door, Reply
from freehold.evals.proof.validity import Fault
from freehold.gateway.routing.choose import drawn as chosen
from freehold.grading.errors import GraderFailed
from freehold.grading.registry import agree, grade
from freehold.grading.types import Answer, Spec
from freehold.moves.types import Move, Pair, Rule
from freehold.workflows.exchange import Exchange, exchange
from freehold.workflows.records import Record

Gold = Callable[[bytes], Answer | None]
"""What a person said the answer is, by record; None where nobody did."""
ASK_SECONDS = 60.0
"""Who takes longer over one answer gave none."""
TOO_MANY, BROKEN = 429, 500
"""Statuses of a model that may answer later: the one, and the other and all above."""


class Side(msgspec.Struct, frozen=True):
    """Who answered the caller, and whether the other side is asked too."""

    served: Literal["candidate", "incumbent"]
    paired: bool


class Compared(msgspec.Struct, frozen=True):
    """What a round of pairing gave. `missing` calls could not be paired: the incumbent did not answer them.

    Where it answered none of the round's it is away, and the calls from the first of them on are for a later round.
    """

    pairs: tuple[Pair, ...]
    looked_at: bytes
    """The last record that is dealt with."""
    missing: int
    wanted: tuple[bytes, ...] = ()
    """Records whose answers differ and that nobody has annotated yet; the first of them holds up what comes after."""


def drawn(move: str, record: bytes) -> float:
    """Uniform in [0, 1), fixed by move and record."""
    # Not the drawing that shares out traffic, which is salted by the move alone: the two must not hang together.
    return chosen(f"pair {move}", record.hex())


def side_of(move: Move, record: Record, members: Sequence[str]) -> Side:
    """Which side a recorded call was on. `members` are the targets that speak for the candidate alone.

    After cut-over, the held-back calls are always compared, the others by the rule's sample.
    """
    rule, chance = move.rule, drawn(move.id, record.id)
    if record.target in members:
        wanted = rule.sample_owned if move.stage == "owned" else rule.sample
        return Side("candidate", paired=chance < wanted)
    wanted = 1.0 if move.stage == "owned" else rule.sample
    return Side("incumbent", paired=chance < wanted)


def compare(
    move: Move,
    found: Iterable[Record],
    members: Sequence[str],
    door: Door,
    gold: Gold,
    enough: Callable[[], bool] = lambda: False,
) -> Compared:
    """Ask the other side about each drawn call, and grade both. Calls within the evaluation window never count.

    Once `enough` says so no more are waited for: who hangs must not keep other moves from their turn.
    Raises what `Door.ask` raises; nothing is lost then, the calls are looked at again.
    """
    looked_at, drawn_ones = b"", []
    for record in found:
        looked_at = record.id
        if record.at <= move.rule.window_until or not record.answered:
            continue
        side = side_of(move, record, members)
        if side.paired:
            drawn_ones.append((record, side))
    asked = [(_other(move, side), record) for record, side in drawn_ones]
    replies = door.ask_all([(name, one.request, one.label, one.assigned) for name, one in asked], timeout=ASK_SECONDS)
    heard: list[Reply] = []
    for reply in replies:
        heard.append(reply)
        if enough():
            break
    # Fewer are heard than were drawn where it was enough.
    made = [_pair(move, record, side, reply, gold) for (record, side), reply in zip(drawn_ones, heard, strict=False)]
    wanted = tuple(one for one in made if isinstance(one, bytes))
    sides = [side for _, side in drawn_ones[: len(heard)]]
    end = min(made.index(wanted[0]) if wanted else len(made), _away(sides, heard))
    counted = made[:end]
    if end < len(drawn_ones):
        looked_at = (0).to_bytes(16, "big") if not counted else drawn_ones[end - 1][0].id
    pairs = tuple(one for one in counted if isinstance(one, Pair))
    return Compared(pairs, looked_at, len(counted) - len(pairs), wanted)


def _away(sides: Sequence[Side], replies: Sequence[Reply]) -> int:
    """Index of the first call from which on pairing must wait: the incumbent was asked, and is nowhere to be reached.

    One call that it cannot answer holds nothing up: among others that it did answer it is left out.
    """
    asked = [at for at, side in enumerate(sides) if side.served == "candidate"]
    away = asked and all(replies[at].answer is None and _may_pass(replies[at].status) for at in asked)
    return asked[0] if away else len(sides)


def _may_pass(status: int) -> bool:
    return status in (0, TOO_MANY) or status >= BROKEN


def _other(move: Move, side: Side) -> str:
    return move.plan.incumbent if side.served == "candidate" else move.candidate


def _pair(move: Move, record: Record, side: Side, reply: Reply, gold: Gold) -> Pair | bytes | None:
    """The pair; None where the incumbent gave nothing to compare with; the record's id where a person must judge.

    None too where the grader breaks on the very answer that is right: then neither side is at fault.
    """
    said = exchange(record)
    theirs = reply.answer
    if side.served == "candidate":
        if theirs is None:
            return None
        candidate, incumbent = said.answer, theirs
    else:
        candidate, incumbent = theirs or Answer(finish="error"), said.answer
        if reply.composite == "escalated":  # then the candidate's answer is the incumbent's: it was given already
            candidate = incumbent
    valid = fault_of(candidate, said) is None
    try:
        scores = _scores(move.rule, candidate if valid else None, incumbent, record.id, gold)
    except GraderFailed:
        return None
    if scores is None:
        return record.id
    return Pair(
        record=record.id,
        at=record.at,
        stage=move.stage,
        served=side.served,
        candidate=scores[0],
        incumbent=scores[1],
        valid=valid,
        gold=scores[2],
        candidate_sha256=digest(candidate),
        incumbent_sha256=digest(incumbent),
        cost=to_pico(reply.cost) if reply.cost is not None else 0,
    )


def _scores(
    rule: Rule, candidate: Answer | None, incumbent: Answer, record: bytes, gold: Gold
) -> tuple[float, float, bool] | None:
    """Both sides' scores and whether a person decided; None where a person has yet to."""
    if candidate is None:
        return 0.0, 1.0, False
    with contextlib.suppress(GraderFailed):
        if agree(rule.grader, candidate, incumbent):
            return 1.0, 1.0, False  # equal in what counts: whatever is right, the difference is nothing
    if rule.reference == "incumbent":
        return _score(rule.grader, candidate, incumbent), 1.0, False
    right = gold(record)
    if right is None:
        return None
    return _score(rule.grader, candidate, right), _score(rule.grader, incumbent, right), True


def _score(spec: Spec, answer: Answer, right: Answer) -> float:
    """An answer on which the grader breaks scores nothing. Raises GraderFailed where it breaks on the right one too."""
    try:
        return grade(spec, answer, right).score
    except GraderFailed:
        grade(spec, right, right)
        return 0.0


def fault_of(answer: Answer, asked: Exchange) -> Fault | None:
    """What is wrong with the form of an answer, whatever it says: told without any reference."""
    if answer.finish == "error":
        return "timeout"
    if answer.refusal or answer.finish == "content_filter":
        return "refusal"
    if not (answer.text.strip() or answer.tool_calls):
        return "empty"
    if any(one.name not in asked.tools for one in answer.tool_calls):
        return "tool_name"
    if not all(_json(one.arguments) for one in answer.tool_calls):
        return "schema"
    if asked.answer.tool_calls and not answer.tool_calls:
        return "schema"
    wanted = asked.schema is not None or _json(asked.answer.text)
    return "schema" if wanted and not answer.tool_calls and not _json(answer.text) else None


def _json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def digest(answer: Answer) -> bytes:
    """SHA-256 of what an answer says, tools included."""
    calls = [f"{one.name}\0{one.arguments}" for one in answer.tool_calls]
    return hashlib.sha256("\0\0".join([answer.text, *calls]).encode()).digest()
