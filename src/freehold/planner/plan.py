"""A plan: frozen, hashed, and made again from its own file. The same inputs give the same bytes. Pure.

Invariant: everything a figure was computed from stands in the file, with source and date.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from freehold.core.canonical import exact
from freehold.core.crypto import sha256
from freehold.planner.assumptions import Assumption
from freehold.planner.breakeven import BreakEven, break_even
from freehold.planner.contract import Contract
from freehold.planner.decide import MARGIN, Decision, decide, rule
from freehold.planner.draws import Array, Draws
from freehold.planner.errors import BadPlan, PlanError
from freehold.planner.factors import common, mine
from freehold.planner.money import Outcome
from freehold.planner.options import Choice, Compared, compare, mix, together
from freehold.planner.rents import plain
from freehold.planner.rests import DAY_SECONDS, Rests, doubts, rests, unstated, without_saving
from freehold.planner.streams import Scene, Terms
from freehold.planner.work import Demand, Packing, Staircase, Work

FORM = "freehold-plan/1"
DIGITS = 10
"""Significant digits of every figure in the file: what is beyond differs between processors."""
Tell = Callable[[float, str], None]


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is made from; traces by their digest, fleets as they were simulated."""

    made_on: str
    """The day for which prices are taken, YYYY-MM-DD."""
    months: int = 36
    seed: int = 1
    draws: int = 10_000
    margin: float = MARGIN
    """Quality that may be lost, as a share of tasks."""
    contract: Contract = Contract()
    assumptions: tuple[Assumption, ...]
    works: tuple[Work, ...]
    shared: tuple[Staircase, ...] = ()
    """Fleets that serve all workflows at once, by adapters on one base model; where there are several."""
    packings: tuple[Packing, ...] = ()
    """Static fleets of several workflows, by the way they share machines."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, or all together."""

    name: str
    options: tuple[Choice, ...]
    """In the order of `types.OPTIONS`."""
    decision: Decision | None
    break_even: BreakEven | None
    """None for several workflows together: each has its own; and where the traffic is too little."""
    share: float
    """Of what is paid once for all."""
    rests: Rests
    """On how many calls, in how long."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole."""

    form: str
    inputs: Inputs
    rule: tuple[str, ...]
    workflows: tuple[Planned, ...]
    together: Planned
    advised: Outcome
    """All workflows, each by its advice; `stay` and `not_yet` count as doing nothing."""
    red: tuple[str, ...]
    """What is assumed and weighs, where it should be measured."""


def make(inputs: Inputs, tell: Tell = lambda _done, _words: None) -> Plan:
    """The plan of its inputs. Raises PlanError where there is nothing to plan."""
    if not inputs.works:
        raise PlanError("no workflow has traffic", param="trace")
    draws = Draws(inputs.seed, inputs.draws)
    assumed = {one.name: one for one in inputs.assumptions}
    terms = Terms(months=inputs.months, commitments=inputs.contract.commitments, spending=_spending(inputs.works))
    bare = [_scene(one, assumed, terms, draws, inputs.contract) for one in inputs.works]
    settled = _settled(bare, inputs.margin, tell)
    scenes, found, decisions = settled.scenes, settled.found, settled.decisions
    whole = _whole(scenes, inputs.shared)
    requests = [one.work.demand.requests for one in scenes]
    joined = together(whole, settled.all_moving, requests)
    planned = tuple(
        _planned(scene, one.choices, decision) for scene, one, decision in zip(scenes, found, decisions, strict=True)
    )
    advised = [
        one.streams["nothing" if decision.advice == "not_yet" else decision.option]
        for one, decision in zip(found, decisions, strict=True)
    ]
    tell(1.0, "done")
    made = Plan(
        form=FORM,
        inputs=inputs,
        rule=rule(inputs.margin),
        workflows=planned,
        together=_planned(whole, joined.choices, None, planned[0].break_even if len(planned) == 1 else None),
        advised=_advised(whole, mix(whole, advised, [one.streams["nothing"] for one in found], requests)),
        red=red(inputs),
    )
    return msgspec.convert(_rounded(msgspec.to_builtins(made)), Plan)


def _planned(
    scene: Scene, choices: tuple[Choice, ...], decision: Decision | None, breaks: BreakEven | None = None
) -> Planned:
    """Without a saving, where the traffic does not make a month."""
    found = rests(scene.work.demand)
    if decision is not None and found.enough:
        breaks = break_even(scene)
    return Planned(
        name=scene.work.name,
        options=choices if found.enough else unstated(choices, found),
        decision=decision,
        break_even=breaks,
        share=scene.work.share,
        rests=found,
    )


def _advised(whole: Scene, mixed: Outcome) -> Outcome:
    found = rests(whole.work.demand)
    return mixed if found.enough else without_saving(mixed, found)


def scene_of(inputs: Inputs, at: int, share: float) -> Scene:
    """The draws of one workflow again, as its plan made them, with its share of what is paid once."""
    terms = Terms(months=inputs.months, commitments=inputs.contract.commitments, spending=_spending(inputs.works))
    assumed = {one.name: one for one in inputs.assumptions}
    work = msgspec.structs.replace(inputs.works[at], share=share)
    return _scene(work, assumed, terms, Draws(inputs.seed, inputs.draws), inputs.contract)


class _Settled(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    scenes: list[Scene]
    found: list[Compared]
    decisions: list[Decision]
    all_moving: list[Compared]
    """The same where everybody moves and shares: what options cost all together."""


def _settled(bare: list[Scene], margin: float, tell: Tell) -> _Settled:
    """People and evaluation are paid once by all who move; who does not move leaves his share to the others."""
    tokens = [one.work.demand.input + one.work.demand.output for one in bare]
    sharing = set(range(len(bare)))
    all_moving: list[Compared] = []
    while True:
        held = sum(tokens[at] for at in sharing) or 1.0
        scenes, found, decisions = [], [], []
        for at, scene in enumerate(bare):
            share = tokens[at] / held if at in sharing else 1.0
            scene = msgspec.structs.replace(scene, work=msgspec.structs.replace(scene.work, share=share))
            scenes.append(scene)
            found.append(compare(scene))
            decisions.append(decide(scene.work, found[-1].choices, margin))
            tell((at + 1) / (len(bare) + 1), scene.work.name)
        all_moving = all_moving or found
        moving = {at for at, one in enumerate(decisions) if at in sharing and one.option not in ("nothing", "closed")}
        if moving == sharing or not moving:
            return _Settled(scenes=scenes, found=found, decisions=decisions, all_moving=all_moving)
        sharing = moving


def _scene(work: Work, assumed: Mapping[str, Assumption], terms: Terms, draws: Draws, contract: Contract) -> Scene:
    shared = common(assumed, plain(work.owned.gpu), draws)
    factors = mine(work, shared, draws)
    if contract.currency != "USD":
        factors["usd_per_unit"] = draws.ranged("usd_per_unit", contract.usd_per_unit)
    return Scene(work=work, factors=factors, terms=terms, at=work.level)


def _spending(works: tuple[Work, ...]) -> dict[str, float]:
    """US dollars a month to each provider, now."""
    found: dict[str, float] = {}
    for one in works:
        provider = one.now.model.partition("/")[0]
        demand, now = one.demand, one.now
        cost = (demand.input - demand.cached) * now.input.p50 + demand.cached * now.cached.p50
        found[provider] = found.get(provider, 0.0) + (cost + demand.output * now.output.p50) / 1e6
    return found


def _whole(scenes: list[Scene], shared: tuple[Staircase, ...]) -> Scene:
    """All workflows as one: what they are served by together, and how many of their tasks pass."""
    demands = [one.work.demand for one in scenes]
    sums = {name: sum(getattr(one, name) for one in demands) for name in ("requests", "input", "cached", "output")}
    digest = sha256("".join(one.digest for one in demands).encode()).hex()
    most = {name: max(getattr(one, name) for one in demands) for name in ("span_seconds", "longest")}
    whole = Demand(**sums, **most, trace="all workflows", digest=digest)
    factors: dict[str, Array] = {}
    for one in scenes:
        factors |= {
            name if not name.startswith("passed/") else f"{name} of {one.work.name}": drawn
            for name, drawn in one.factors.items()
        }
    for name in [name for name in scenes[0].factors if name.startswith("passed/")]:
        factors[name] = (
            np.sum([one.factors[name] * one.work.demand.requests for one in scenes], axis=0) / whole.requests
        )
    work = msgspec.structs.replace(
        scenes[0].work, name="all together", demand=whole, share=1.0, staircases=shared, workflows=len(scenes)
    )
    return Scene(work=work, factors=factors, terms=scenes[0].terms)


def red(inputs: Inputs) -> tuple[str, ...]:
    """What nobody measured, in words; reports show it in red."""
    found = []
    for work in inputs.works:
        known = {one.option for one in work.evidence}
        if not known:
            found.append(f"{work.name}: quality is assumed for every option; no scorecard exists")
        found += [f"{work.name}: {one.model}: {one.note}" for one in (*work.closed, *work.hosted) if one.assumed]
        if work.owned.hour.assumed:
            found.append(f"{work.name}: {work.owned.hour.usd.source}")
        found += [f"{work.name}: {one}" for one in doubts(work.demand)]
        under = rests(work.demand)
        if not under.enough:
            found.insert(0, f"{work.name}: {under.words}: too little for any saving to be stated")
        elif under.span_seconds < 7 * DAY_SECONDS:
            found.append(f"{work.name}: {under.words}")
    contract = inputs.contract
    if contract.currency != "USD" and contract.usd_per_unit.p10 == contract.usd_per_unit.p90 == 1.0:
        found.append(f"one {contract.currency} is taken for one US dollar: usd_per_unit in [plan]")
    return tuple(found)


def written(plan: Plan) -> bytes:
    """The file: canonical JSON with the digest of its content."""
    content = msgspec.to_builtins(plan)
    return exact({"content": content, "sha256": sha256(exact(content)).hex()}) + b"\n"


def read(data: bytes, name: str = "plan") -> tuple[Plan, str]:
    """A plan and its digest. Raises BadPlan for what is none, or was changed."""
    quick = _as_written(data)
    if quick is not None:
        return quick
    try:
        found: Any = json.loads(data)
        content, digest = found["content"], found["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadPlan(f"{name} is no plan: it holds no content with a digest", param=name) from None
    if not isinstance(content, dict) or content.get("form") != FORM:
        raise BadPlan(f"{name} is no plan of a form that is known here ({FORM})", param=name)
    if sha256(exact(content)).hex() != digest:
        raise BadPlan(f"{name} was changed since it was written: its digest is another", param=name)
    try:
        return msgspec.convert(content, Plan), str(digest)
    except msgspec.ValidationError as error:
        raise BadPlan(f"{name} cannot be read: {error}", param=name) from None


def _as_written(data: bytes) -> tuple[Plan, str] | None:
    """A file whose bytes are as `written` makes them, without taking it apart; None where they are not."""
    head, tail = b'{"content":', b',"sha256":"'
    at = data.rfind(tail)
    if not data.startswith(head) or not data.endswith(b'"}\n') or at < 0:
        return None
    content, digest = data[len(head) : at], data[at + len(tail) : -3].decode("ascii", "replace")
    if sha256(content).hex() != digest:
        return None
    try:
        found = msgspec.json.decode(content, type=Plan)
    except msgspec.MsgspecError:
        return None
    return (found, digest) if found.form == FORM else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == 0 or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
