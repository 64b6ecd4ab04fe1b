"""From a rule to a candidate that may be compared: data, what is there already, training, the candidate's scorecard.

Every part ends with an event, so whoever is killed in between goes on with the first part that has none. A move that
a person held or ended meanwhile is left alone from the next beat on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from freehold.core.clock import Clock
from freehold.core.crypto import Identity
from freehold.core.db import reading, writing
from freehold.core.errors import BadRequest, Conflict, Forbidden, FreeholdError, LeaseLost, NotFound
from freehold.evals import runs
from freehold.evals import store as evals
from freehold.evals.datasets import Example, Split, digest, examples, split
from freehold.evals.errors import EvaluationBudget, NothingToEvaluate
from freehold.evals.scorecards import Scorecard
from freehold.evals.types import Plan, Reference, Run
from freehold.moves import store
from freehold.moves.machine import fact, forward
from freehold.moves.pairing import Gold
from freehold.moves.training.errors import NoBase, NoTrainer
from freehold.moves.training.job import USES, Base, Job, Lesson, Recipe, prepare
from freehold.moves.tuning import READY_SECONDS, Beat, Places, deploy, here, train, work_folder
from freehold.moves.types import Event, Move, Stage
from freehold.policy.rights import Facts, Maker, Rules, gate, told
from freehold.serving.deployments import CHAT, deployed
from freehold.serving.wanted import wait_ready
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

ACTOR = "preparation"
PREPARED: tuple[Stage, ...] = ("observed", "evaluated", "tuned")
"""Stages that preparing takes a move through."""
_FINAL = (BadRequest, Conflict, Forbidden)
"""Of the data or the wish: trying again would end the same."""
_FOR_A_PERSON = (EvaluationBudget, NoBase, NoTrainer, NotFound)
"""Of the installation: it goes on once somebody has seen to it."""
TRAIN_SHARE = 0.7
"""Of the window, by time; the rest evaluates."""
BASELINE_ITEMS = 24
"""Calls on which what is there already is looked at: enough to see that a model is far off, no more."""


def _unknown(_target: str) -> str:
    return ""


class Parts(msgspec.Struct, frozen=True):
    """What preparing works with."""

    engine: Engine
    home: Path
    identity: Identity
    shelf: Shelf
    gold: Callable[[str], Gold]
    """What people said is right, of a workflow."""
    rights: Callable[[], Rules]
    runs: runs.Parts
    base_of: Callable[[Recipe, str], Base | None]
    """The model that a recipe starts from, or asks, by name (empty: the embedded one); None where it can do without."""
    publish: Callable[[], None]
    clock: Clock
    licence_of: Callable[[str], str] = _unknown
    """The licence of the model behind an owned target; empty where nobody knows."""
    places: Places = here
    """Where recipes train."""


class Stopped(Exception):
    """A person held, ended or took the move onward meanwhile: nothing is left to do here."""


class Preparation:
    """Prepares one move."""

    def __init__(self, parts: Parts, move_id: str, beat: Beat) -> None:
        self._parts = parts
        self._told = beat
        with reading(parts.engine) as connection:
            self.move = store.load(connection, move_id)

    def run(self) -> dict[str, Any]:
        """Everything that has not been done yet; where the move stands then.

        A defect of the data or of what was asked for ends the move as refused; what a person must see to holds it.
        Raises what may pass, such as DoorClosed or FileRefused: run it again.
        """
        try:
            self._look()
            sides = self._data()
            if self.move.stage == "observed":
                self._look_at_what_is_there(sides)
            if self.move.stage == "evaluated":
                self._look()
                self._tune(sides)
            if self.move.stage == "tuned":
                self._look()
                self._judge(sides)
        except Stopped:
            with reading(self._parts.engine) as connection:
                self.move = store.load(connection, self.move.id)
        except LeaseLost:
            raise
        except _FOR_A_PERSON as error:
            self._end("held", error)
        except _FINAL as error:
            self._end("stage", error)
        return {"stage": self.move.stage, "held": self.move.held}

    def _end(self, kind: str, error: FreeholdError) -> None:
        content = {"why": f"{error.code} {error.message}", "hint": error.hint}
        with contextlib.suppress(Stopped):
            self._tell(kind, {"to": "refused", **content} if kind == "stage" else content)

    def _beat(self, progress: dict[str, Any]) -> None:
        self._told(progress)
        self._look()

    def _look(self) -> None:
        """Raises Stopped where a person stopped the move, or it is not to be prepared any more."""
        with reading(self._parts.engine) as connection:
            self._check(store.load(connection, self.move.id))

    def _check(self, now: Move) -> None:
        if now.held or now.stage != self.move.stage or now.stage not in PREPARED:
            raise Stopped

    def _data(self) -> Split:
        move, parts = self.move, self._parts
        which = Which(workflow=move.plan.workflow, until=move.rule.window_until, answered=True)
        gold = parts.gold(move.plan.workflow)
        sides = split(list(examples(parts.shelf.records(which), gold)), share=TRAIN_SHARE)
        if not self._has("data"):
            self._tell(
                "data",
                {
                    "train": len(sides.train),
                    "train_sha256": digest(sides.train),
                    "test": len(sides.test),
                    "test_sha256": digest(sides.test),
                    "split_at": sides.at,
                    "dropped": sides.dropped,
                },
            )
        return sides

    def _look_at_what_is_there(self, sides: Split) -> None:
        there = {one.name for one in deployed(self._parts.home / "run")}
        if self.move.plan.recipe != "none" and CHAT in there:
            card = self._evaluate(CHAT, sides, BASELINE_ITEMS)
            self._tell("scorecard", {"why": "as it is, before any training", **_summary(card)})
        self._tell("stage", {"to": "evaluated"})

    def _tune(self, sides: Split) -> None:
        """Have a candidate: the one that was named, or one that a recipe makes."""
        recipe = self.move.plan.recipe
        if recipe == "none":
            self._tell("stage", {"to": "tuned", "why": "the candidate is there already"})
            return
        today = datetime.fromtimestamp(self._parts.clock(), UTC).date()
        found = gate(
            ((_lesson(one), self._facts(one)) for one in sides.train), USES[recipe], self._parts.rights(), today
        )
        if found.refused and not self._has("rights"):
            self._tell("rights", {"recipe": recipe, "refused": found.refused, "why": told(found)})
        if not len(found.cleared):
            self._tell("stage", {"to": "refused", "why": f"training is not allowed: {told(found)}"})
            return
        folder = work_folder(self._parts.home, self._name(recipe))
        base = self._parts.base_of(recipe, self.move.plan.base)
        job = Job(recipe=recipe, workflow=self.move.plan.workflow, base=base, options=self.move.plan.options)
        if not (folder / "job.json").exists():
            prepare(folder, job, found.cleared)
        trained = train(folder, recipe, self._beat, self.move.plan.sweep, self._parts.places)
        made = deploy(self._parts.home, self._parts.identity, self._name(recipe), trained, self.move.id)
        content = {
            "artefact": made.artefact,
            "recipe": recipe,
            "seconds": trained.seconds,
            "bytes": trained.bytes,
            "files": {one.name: one.sha256 for one in trained.files},
            "metrics": trained.metrics,
            "target": made.target,
        }
        if self.move.plan.escalate is not None:
            content |= {"target": f"{made.target}-or-{self.move.plan.incumbent}", "member": made.target}
        self._tell("tuned", content)
        self._tell("stage", {"to": "tuned"})
        self._parts.publish()

    def _judge(self, sides: Split) -> None:
        """The candidate's scorecard on the window: hopeless ones end here, the rest is compared on later calls."""
        move = self.move
        if not move.evaluated:
            if move.artefact:  # its engine may be coming up again: nobody is judged by an absence
                wait_ready(self._parts.home, move.member or move.candidate, READY_SECONDS)
            card = self._evaluate(move.candidate, sides, move.plan.first_look)
            self._tell("scorecard", _summary(card))
            high = card.difference.high
            if card.reference == move.rule.reference and high < -move.rule.margin:
                facts = fact("evaluation", high, -move.rule.margin, "worse than the margin on the window's calls")
                self._tell("stage", {"to": "refused", **facts})
                return
        if move.waiting:
            return
        kind, content = forward(move, 0, {})
        self._tell(kind, content)
        self._parts.publish()

    def _evaluate(self, target: str, sides: Split, limit: int) -> Scorecard:
        """The target on calls of the window that trained nothing, graded by the rule."""
        move = self.move
        try:
            return self._run(target, sides, limit, move.rule.reference)
        except NothingToEvaluate:
            return self._run(target, sides, limit, "incumbent")

    def _run(self, target: str, sides: Split, limit: int, reference: Reference) -> Scorecard:
        move, parts = self.move, self._parts
        plan = Plan(
            workflow=move.plan.workflow,
            target=target,
            grader=move.rule.grader,
            reference=reference,
            since=sides.at,
            until=move.rule.window_until,
            limit=limit,
            budget=move.rule.budget,
            hopeless=-move.rule.margin,
        )
        run = Run(id=f"{move.id}.{target}.{reference}", at=parts.clock(), plan=plan, actor=ACTOR)
        with writing(parts.engine) as connection:
            evals.add_run(connection, run)
        told = f"evaluating {target}"
        door = parts.runs.door.bounded(_most_output(sides))
        bounded = msgspec.structs.replace(parts.runs, door=door)
        return runs.evaluate(bounded, run.id, lambda done, of: self._beat({"phase": told, "done": done, "of": of}))

    def _facts(self, example: Example) -> Facts:
        """What the rights gate decides by: a rented answer's vendor, an owned one's licence, a person's word."""
        return Facts(
            id=example.id.hex(),
            label=example.label,
            consent=example.consent,
            maker=_maker(example),
            vendor=example.vendor,
            licence=self._parts.licence_of(example.target) if example.owned else "",
        )

    def _name(self, recipe: str) -> str:
        return f"{recipe}-{self.move.plan.workflow.removeprefix('wf_')}-{self.move.id[-6:]}".lower()

    def _has(self, kind: str) -> bool:
        with reading(self._parts.engine) as connection:
            return any(one.kind == kind for one in store.events(connection, self.move.id))

    def _tell(self, kind: str, content: dict[str, Any]) -> None:
        with writing(self._parts.engine) as connection:
            now = store.load(connection, self.move.id)  # others may have written: an approval, a hold, an end
            self._check(now)
            self.move = store.append(connection, now, Event(now.events, self._parts.clock(), kind, ACTOR, content))


def give_up(engine: Engine, move_id: str, why: str, at: float) -> None:
    """Hold a move whose preparation failed again and again, so that a person sees why and lets it go on."""
    with writing(engine) as connection:
        move = store.load(connection, move_id)
        if move.stage in PREPARED and not move.held:
            store.append(connection, move, Event(move.events, at, "held", ACTOR, {"why": f"preparing failed: {why}"}))


def _most_output(sides: Split) -> int:
    """Tokens that are enough for any answer of this workflow: twice its longest, at three characters a token."""
    longest = max((len(one.reference.text) + sum(len(call.arguments) for call in one.reference.tool_calls)
                   for one in sides.test), default=0)  # fmt: skip
    return 32 + 2 * longest // 3


def _summary(card: Scorecard) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(card)
    return found


def _lesson(example: Example) -> Lesson:
    return Lesson(
        id=example.id.hex(),
        at=example.at,
        request=example.request.decode("utf-8", "replace"),
        answer=example.reference,
        maker=_maker(example),
    )


def _maker(example: Example) -> Maker:
    """A person's word replaces the model's, and is under no vendor's terms."""
    if example.gold is not None:
        return "person"
    return "owned" if example.owned else "vendor"
