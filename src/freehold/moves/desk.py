"""What people do to moves: start, approve, promote, hold, roll back. Each is one event, inside a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection

from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.core.ids import as_text
from freehold.core.money import from_pico
from freehold.evals.proof.validity import FAULTS
from freehold.grading.types import Spec
from freehold.moves import store
from freehold.moves.errors import BadRule
from freehold.moves.machine import apply, begin, fact, forward
from freehold.moves.settings import MoveSettings
from freehold.moves.types import SERVING, Approval, Event, Move, Plan, Rule

_ANOTHER = "nothing is left to do; to move it after all: freehold moves start WORKFLOW"
_LOOK = "see where it stands: freehold moves status {}"
BY_HAND = "by hand, without proof"
_MOST = 1e12
_PROPER = ("margin", "harm", "alpha", "futility")
_SHARES = ("holdback", "sample", "sample_owned")
_COUNTS = ("step_pairs", "most_pairs")


class Act(msgspec.Struct, frozen=True):
    """Who does something, when, and why."""

    actor: str
    at: float
    why: str = ""


def rule_of(settings: MoveSettings, grader: Spec, window_until: float, changes: dict[str, Any]) -> Rule:
    """The rule of a new move: the settings' values but for `changes`. Raises BadRequest on what makes no sense."""
    unknown = sorted(set(changes) - set(Rule.__struct_fields__))
    if unknown:
        raise BadRule(f"a rule has no {', '.join(unknown)}", param="rule")
    values = settings.model_dump(mode="json")
    values |= {"grader": msgspec.to_builtins(grader), "window_until": window_until, **changes}
    try:
        rule = msgspec.convert(values, Rule)
    except msgspec.ValidationError as error:
        raise BadRule(f"the rule makes no sense: {error}") from None
    shares = (0.0, *rule.steps, 1.0)
    if list(shares) != sorted(set(shares)):
        raise BadRule(f"steps is {list(rule.steps)}: they must grow, each between 0 and 1", param="steps")
    _within(rule, _PROPER, "it lies between 0 and 1, both excluded", lambda one: 0 < one < 1)
    _within(rule, _SHARES, "it is a share between 0 and 1", lambda one: 0 <= one <= 1)
    _within(rule, _COUNTS, "it is at least 1", lambda one: one >= 1)
    _within(rule, ("patience",), "it is more than 1", lambda one: 1 < one < _MOST)
    if len(rule.usual) != len(FAULTS) or not all(0 < one < 1 for one in rule.usual):
        raise BadRule(f"usual has a share between 0 and 1 for each of {', '.join(FAULTS)}", param="usual")
    for name in ("budget", "label_price"):
        _money(name, getattr(rule, name))
    return rule


def _within(rule: Rule, names: Sequence[str], law: str, good: Callable[[float], bool]) -> None:
    for name in names:
        if not good(getattr(rule, name)):
            raise BadRule(f"{name} is {getattr(rule, name):g}: {law}", param=name)


def _money(name: str, text: str) -> None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise BadRule(f"{name} is {text[:40]!r}, which is no amount of dollars", param=name)


def start(
    connection: Connection, number: bytes, rule: Rule, plan: Plan, act: Act, maturity: dict[str, Any] | None = None
) -> Move:
    """Begin a move, and keep what its workflow's `maturity` was. Raises Conflict where it has one under way."""
    move = begin(as_text("mv", number), act.at, rule, plan)
    store.add(connection, move, act.actor)
    return move if maturity is None else _append(connection, move, act, "maturity", maturity)


def current(connection: Connection, name: str) -> Move:
    """The newest move of a workflow, or the move of that id. Raises NotFound."""
    if name.startswith("mv_"):
        return store.load(connection, name)
    found = store.latest(connection, name)
    if found is None:
        raise NotFound(f"{name} has no move", hint=f"start one: freehold moves start {name}")
    return found


def approve(connection: Connection, move: Move, act: Act) -> Move:
    """Let the step that waits happen. Raises Conflict where none waits."""
    if not move.waiting:
        raise Conflict(f"nothing of {move.id} waits for approval", hint=f"see: freehold moves status {move.id}")
    return _append(connection, move, act, "approved", {"step": move.waiting, "why": act.why})


def promote(connection: Connection, move: Move, act: Act, *, without_proof: bool) -> Move:
    """Let a held move go on; or, `without_proof`, take the next step whatever the evidence says.

    Who lets one go on whose budget is spent grants the rule's budget once more, and the event says from where it
    counts.
    Raises Conflict where the move ended or is not held, BadRequest where a step without proof names no reason.
    """
    if move.ended:
        raise Conflict(f"{move.id} has ended as {move.stage}", hint=_ANOTHER)
    if without_proof:
        if not act.why:
            raise BadRequest("a step without proof needs a reason", param="why", hint="say it: --why TEXT")
        if move.stage in ("observed", "evaluated"):
            raise Conflict(f"{move.id} has no candidate that serves yet", hint=_LOOK.format(move.id))
        freed = msgspec.structs.replace(move, approved=get_args(Approval))
        pairs = len(store.pairs_of(connection, move.id))
        kind, content = forward(freed, pairs, {**fact("promoted", 1, 1, BY_HAND), "why": act.why})
        return _append(connection, move, act, kind, content)
    if not move.held:
        hint = "its steps are taken when the evidence is there; to force one: --without-proof --why TEXT"
        raise Conflict(f"{move.id} is not held", hint=hint)
    made = store.pairs_of(connection, move.id)
    spent = float(from_pico(sum(one.cost for one in made)))
    return _append(connection, move, act, "resumed", {"why": act.why, "spent": spent, "pairs": len(made)})


def hold(connection: Connection, move: Move, act: Act) -> Move:
    """Keep the move where it is; what serves goes on serving. Raises Conflict where it ended or is held already."""
    if move.ended or move.held:
        hint = _ANOTHER if move.ended else f"let it go on: freehold moves promote {move.id}"
        raise Conflict(f"{move.id} {'has ended' if move.ended else 'is held already'}", hint=hint)
    return _append(connection, move, act, "held", {"why": act.why or "a person's wish"})


def rollback(connection: Connection, move: Move, act: Act) -> Move:
    """Give all traffic back to the incumbent and end the move. Raises Conflict where it has ended."""
    if move.ended:
        raise Conflict(f"{move.id} has ended as {move.stage} already", hint=_ANOTHER)
    to = "rolled_back" if move.stage in SERVING else "refused"
    facts = fact("rollback", 1, 1, act.why or "a person's wish")
    return _append(connection, move, act, "stage", {"to": to, **facts})


def _append(connection: Connection, move: Move, act: Act, kind: str, content: dict[str, Any]) -> Move:
    event = Event(move.events, act.at, kind, act.actor, content)
    apply(move, event)
    return store.append(connection, move, event)
