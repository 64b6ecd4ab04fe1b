"""What a move begins with, found from the workflow's own calls where nobody said it: incumbent, grader, recipe."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.core.errors import BadRequest, Conflict
from freehold.evals.proof.validity import FAULTS, usual_rate
from freehold.gateway.routing.types import Routes
from freehold.grading.choose import spec_for
from freehold.grading.errors import GraderFailed
from freehold.grading.registry import check
from freehold.grading.types import Spec
from freehold.moves.desk import rule_of
from freehold.moves.errors import BadRule, NotMature
from freehold.moves.pairing import fault_of
from freehold.moves.settings import MoveSettings
from freehold.moves.training.answers import learn
from freehold.moves.training.errors import NothingToLearn
from freehold.moves.types import Plan, Recipe, Rule
from freehold.moves.variants import check as check_sweep
from freehold.workflows.exchange import exchange
from freehold.workflows.records import Record
from freehold.workflows.types import Workflow

SAMPLE = 600
"""Recorded calls that are looked at."""
_TARGETS = "see what there is: freehold routes list, and [targets] in freehold.toml"
_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})\Z")
LEAST = 50
"""Answered calls a workflow needs before anything can be said of it."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. Empty means: find it."""

    workflow: str
    """Id."""
    name: str = ""
    """Of the workflow, for people."""
    recipe: str = "auto"
    candidate: str = ""
    incumbent: str = ""
    escalate: float | None = None
    options: dict[str, Any] = {}
    sweep: dict[str, list[Any]] = {}
    first_look: int | None = None
    rule: dict[str, Any] = {}


def judged(workflow: Workflow, *, despite: bool) -> dict[str, Any]:
    """What the move's events keep of the workflow's maturity: verdict, score and reasons.

    Raises NotMature for an exploratory workflow, and for an immature one but where it is to be moved `despite` that.
    """
    found = workflow.maturity
    if found is None:
        return {"verdict": "unknown", "why": "nobody has looked: freehold workflows discover"}
    why = "; ".join(found.reasons)
    if found.verdict == "exploratory":
        hint = "name what is one task of it: send x-freehold-workflow with those calls"
        if workflow.named:
            hint = "give the task a system prompt of its own, and find workflows again: freehold workflows discover"
        raise NotMature(f"{workflow.name} is exploratory: {why}", hint=hint)
    if found.verdict == "immature" and not despite:
        raise NotMature(
            f"{workflow.name} is immature: {why}",
            hint="wait until its prompt has settled, or, knowing better: --despite-immaturity",
        )
    return {"verdict": found.verdict, "score": found.score, "why": why, "despite": found.verdict == "immature"}


def outset(
    given: Given, sample: Sequence[Record], routes: Routes, settings: MoveSettings, now: float
) -> tuple[Plan, Rule]:
    """Plan and rule of a new move; `sample` are its latest answered calls, newest last.

    Raises Conflict where there is too little to go by, BadRequest where what was asked for does not fit together.
    """
    if len(sample) < LEAST:
        hint = "import or record more of its calls first"
        name = given.name or given.workflow
        raise Conflict(f"{name} has {len(sample)} answered calls of the {LEAST} that a move needs", hint=hint)
    changes = dict(given.rule)
    named = changes.pop("grader", None)
    grader = _grader(named) if named else spec_for([exchange(one) for one in sample])
    rule = rule_of(settings, grader, now, {"usual": usual(sample), **changes})
    _fits(given)
    recipe = _recipe(given, sample)
    if given.sweep:
        check_sweep(recipe, given.options, given.sweep)
    incumbent = given.incumbent or _incumbent(sample, routes)
    _leads(recipe, given.candidate, incumbent, routes)
    plan = Plan(
        workflow=given.workflow,
        incumbent=incumbent,
        recipe=recipe,
        candidate=given.candidate,
        escalate=given.escalate,
        auto=given.recipe == "auto" and recipe == "classifier",
        options=given.options,
        sweep=given.sweep,
        first_look=given.first_look or settings.first_look,
    )
    return plan, rule


def _fits(given: Given) -> None:
    """Raises BadRule where two wishes exclude each other."""
    if given.candidate and given.recipe not in ("auto", "none"):
        hint = "leave out one of them; a candidate that is there takes --recipe none"
        raise BadRule(
            f"the recipe {given.recipe} makes a candidate, so none can be named", param="candidate", hint=hint
        )
    if given.recipe == "none" and not given.candidate:
        raise BadRule("without a recipe a candidate is needed", param="candidate", hint="name it: --candidate TARGET")
    if given.escalate is not None and (given.candidate or given.recipe not in ("auto", "classifier")):
        hint = "leave out --escalate; for a target of yours name a composite of freehold.toml as --candidate"
        raise BadRule("only a classifier states how sure it is", param="escalate", hint=hint)


def _leads(recipe: Recipe, candidate: str, incumbent: str, routes: Routes) -> None:
    """Raises BadRule where the plan leads from or to what is not there, or from what is owned already."""
    owned = {one.name: one.owned for one in routes.targets}
    known = owned.keys() | {one.name for one in routes.composites}
    if recipe == "none" and candidate not in known:
        raise BadRule(f"there is no target or composite {candidate!r} to move to", param="candidate", hint=_TARGETS)
    if incumbent not in known:
        raise BadRule(f"there is no target {incumbent!r}", param="incumbent", hint=_TARGETS)
    if owned.get(incumbent):
        hint = "name the rented target that answers now, or leave --incumbent out"
        raise BadRule(f"{incumbent} is owned already: a move leads from what is rented", param="incumbent", hint=hint)
    if candidate == incumbent:
        raise BadRule(f"{candidate} cannot be moved to itself", param="candidate", hint="name another --candidate")


def usual(sample: Sequence[Record]) -> tuple[float, ...]:
    """Upper limits of how often each kind of fault is in the recorded answers, so before any outcome is read.

    Only answers that were recorded tell: how often there was none at all stays at the floor.
    """
    said = [exchange(one) for one in sample]
    found = [fault_of(one.answer, one) for one in said]
    return tuple(round(usual_rate(found.count(kind), len(found)), 6) for kind in FAULTS)


def _grader(named: Any) -> Spec:
    try:
        spec = msgspec.convert(named, Spec)
        check(spec)
    except (msgspec.ValidationError, GraderFailed) as error:
        raise BadRule(f"the grader makes no sense: {error}", param="rule.grader") from None
    return spec


def _recipe(given: Given, sample: Sequence[Record]) -> Recipe:
    if given.recipe == "lora":
        _needs_training(given, "the recipe lora trains a model")
    if given.recipe != "auto":
        named: Recipe = msgspec.convert(given.recipe, Recipe)
        return named
    if given.candidate:
        return "none"
    try:
        learn([exchange(one).answer for one in sample])
    except NothingToLearn:
        pass
    else:
        return "classifier"
    name = given.name or given.workflow
    _needs_training(given, f"the answers of {name} are no small set, so they need a model that writes")
    if given.escalate is not None:
        hint = "leave out --escalate"
        raise BadRule(
            f"the recipe for {name} is lora, which does not state how sure it is", param="escalate", hint=hint
        )
    return "lora"


def _needs_training(given: Given, why: str) -> None:
    if importlib.util.find_spec("torch") is None:
        other = f"freehold moves start {given.name or given.workflow} --recipe none --candidate TARGET"
        hint = f"install what training needs (make train, or pip install 'freehold[train]'), or: {other}"
        raise Conflict(why, hint=hint)


def _incumbent(sample: Sequence[Record], routes: Routes) -> str:
    """Who serves it now: the rented target of its live calls, else one of the model that answered the recorded ones."""
    owned = {one.name for one in routes.targets if one.owned}
    live = Counter(one.target for one in sample if one.target and one.target not in owned)
    if live:
        return live.most_common(1)[0][0]
    models = Counter(one.model for one in sample)
    rented = [one for one in routes.targets if not one.owned]
    for model, _ in models.most_common():
        for same in (model, _DATED.sub("", model)):  # vendors answer under the dated name of what was asked for
            found = next((one.name for one in rented if one.model == same), None)
            if found is not None:
                return found
    told = ", ".join(model for model, _ in models.most_common(3))
    raise BadRequest(f"no target serves {told}", param="incumbent", hint="name the target that serves it: --incumbent")
