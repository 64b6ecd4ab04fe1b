"""From a rule to a candidate that may be compared: data, what is there already, training, the candidate's scorecard.

Every part ends with an event, so whoever is killed in between goes on with the first part that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from freehold.core.clock import Clock
from freehold.core.crypto import Identity
from freehold.core.db import reading, writing
from freehold.core.errors import FreeholdError
from freehold.evals.datasets import Example, Split, digest, examples, split
from freehold.evals.door import Door
from freehold.evals.scorecards import Scorecard
from freehold.moves import store
from freehold.moves.machine import fact
from freehold.moves.pairing import Gold
from freehold.moves.training.job import USES, Base, Job, Lesson, prepare
from freehold.moves.tuning import Beat, deploy, train, work_folder
from freehold.moves.types import Event, Move
from freehold.policy.rights import Facts, Rules, gate, told
from freehold.serving.deployments import CHAT
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

ACTOR = "preparation"
TRAIN_SHARE = 0.7
"""Of the window, by time; the rest evaluates."""
BASELINE_ITEMS = 40
"""Calls on which what is there already is looked at: enough to see that a model is far off, no more."""

Evaluate = Callable[[Move, str, "tuple[Example, ...]", Beat], Scorecard]
"""Ask a target about examples through the door and hold it against the incumbent's recorded answers."""


class Parts(msgspec.Struct, frozen=True):
    """What preparing works with."""

    engine: Engine
    home: Path
    identity: Identity
    shelf: Shelf
    door: Door
    gold: Callable[[], Gold]
    rights: Callable[[], Rules]
    evaluate: Evaluate
    base_of: Callable[[str], Base]
    """The model a recipe starts from, by name (empty: the embedded one)."""
    publish: Callable[[], None]
    clock: Clock


class Preparation:
    """Prepares one move."""

    def __init__(self, parts: Parts, move_id: str, beat: Beat) -> None:
        self._parts = parts
        self._beat = beat
        with reading(parts.engine) as connection:
            self.move = store.load(connection, move_id)

    def run(self) -> dict[str, Any]:
        """Everything that has not been done yet; where the move stands then. A defect of the data ends the move."""
        if self.move.stage not in ("observed", "evaluated", "tuned"):
            return {"stage": self.move.stage}
        sides = self._data()
        if self.move.stage == "observed":
            self._look_at_what_is_there(sides)
        if self.move.stage == "evaluated":
            self._tune(sides)
        if self.move.stage == "tuned":
            self._judge(sides)
        return {"stage": self.move.stage}

    def _data(self) -> Split:
        move, parts = self.move, self._parts
        which = Which(workflow=move.plan.workflow, until=move.rule.window_until, answered=True)
        gold = parts.gold() if move.rule.reference == "annotations" else None
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
        recipe = self.move.plan.recipe
        if recipe != "none":
            card = self._parts.evaluate(self.move, CHAT, sides.test[:BASELINE_ITEMS], self._beat)
            self._tell("scorecard", {"target": CHAT, "why": "as it is, before any training", **_summary(card)})
        self._tell("stage", {"to": "evaluated"})

    def _tune(self, sides: Split) -> None:
        """Have a candidate: the one that was named, or one that a recipe makes."""
        recipe = self.move.plan.recipe
        if recipe == "none":
            self._tell("stage", {"to": "tuned", "why": "the candidate is there already"})
            return
        today = datetime.fromtimestamp(self._parts.clock(), UTC).date()
        found = gate(((_lesson(one), _facts(one)) for one in sides.train), USES[recipe], self._parts.rights(), today)
        if found.refused:
            self._tell("rights", {"recipe": recipe, "refused": found.refused, "why": told(found)})
        if not len(found.cleared):
            self._tell("stage", {"to": "refused", "why": f"training is not allowed: {told(found)}"})
            return
        folder = work_folder(self._parts.home, self._name(recipe))
        base = self._parts.base_of(self.move.plan.base) if recipe != "classifier" else None
        job = Job(recipe=recipe, workflow=self.move.plan.workflow, base=base, options=self.move.plan.options)
        try:
            if not (folder / "job.json").exists():
                prepare(folder, job, found.cleared)
            trained = train(folder, recipe, self._beat)
        except FreeholdError as error:
            self._tell("stage", {"to": "refused", "why": f"{error.code} {error.message}"})
            return
        made = deploy(self._parts.home, self._parts.identity, self._name(recipe), trained)
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
            card = self._parts.evaluate(move, move.candidate, sides.test, self._beat)
            self._tell("scorecard", {"target": move.candidate, **_summary(card)})
            self._parts.publish()
            if card.high < -move.rule.margin:
                facts = fact(
                    "evaluation", card.high, -move.rule.margin, "worse than the margin on the window's own calls"
                )
                self._tell("stage", {"to": "refused", **facts})
                return
        if "shadow" in move.rule.approvals and "shadow" not in move.approved:
            if not move.waiting:
                self._tell("waiting", {"step": "shadow"})
            return
        self._tell("stage", {"to": "shadow", "pairs": 0})
        self._parts.publish()

    def _name(self, recipe: str) -> str:
        return f"{recipe}-{self.move.plan.workflow.removeprefix('wf_')}-{self.move.id[-6:]}".lower()

    def _has(self, kind: str) -> bool:
        with reading(self._parts.engine) as connection:
            return any(one.kind == kind for one in store.events(connection, self.move.id))

    def _tell(self, kind: str, content: dict[str, Any]) -> None:
        event = Event(self.move.events, self._parts.clock(), kind, ACTOR, content)
        with writing(self._parts.engine) as connection:
            self.move = store.append(connection, self.move, event)


def _summary(card: Scorecard) -> dict[str, Any]:
    found = msgspec.to_builtins(card)
    return {name: value for name, value in found.items() if name != "pairs"}


def _lesson(example: Example) -> Lesson:
    return Lesson(
        id=example.id.hex(),
        at=example.at,
        request=example.request.decode("utf-8", "replace"),
        answer=example.reference,
        maker="person" if example.gold is not None else "owned" if example.owned else "vendor",
    )


def _facts(example: Example) -> Facts:
    maker = "person" if example.gold is not None else "owned" if example.owned else "vendor"
    return Facts(
        id=example.id.hex(),
        label=example.label,
        consent=example.consent,
        maker=maker,
        vendor=example.vendor,
    )
