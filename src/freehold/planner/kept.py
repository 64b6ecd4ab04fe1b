"""The plans that an instance keeps: files as they were frozen, named by their digest, and a card beside each.

Invariant: a file is written once and never changed; the same plan made again is the same file.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from freehold.core.crypto import write_private
from freehold.core.errors import NotFound
from freehold.planner.errors import BadPlan
from freehold.planner.plan import Plan, read, written
from freehold.planner.types import Advice, OptionKind, Range

_NAME = re.compile(r"plan_[0-9a-f]{16}\Z")
_CARD = ".card"


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow of a plan, in short."""

    name: str
    advice: Advice | None
    option: OptionKind | None
    reason: str
    calls: int
    """That its figures rest on."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One plan, in short. Money in its currency."""

    id: str
    sha256: str
    made_on: str
    kept_at: float
    """Unix seconds."""
    by: str = ""
    """Who had it made; empty where that is not known."""
    of: str = ""
    """The plan that it says otherwise; empty for one that was made from traffic."""
    levers: dict[str, float] = {}
    """What it says otherwise."""
    months: int
    currency: str
    trace: str
    workflows: tuple[Brief, ...]
    npv: Range
    """Of all workflows, each as advised, against doing nothing."""
    saves: float
    stated: bool
    assumed: int
    """How many things of weight nobody measured."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Why a plan was made; nothing of it is in the frozen file."""

    at: float
    by: str = ""
    of: str = ""
    levers: dict[str, float] = {}


class Kept:
    """The plans in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, plan: Plan, origin: Origin) -> Card:
        """Keep a plan. One that is kept already stays as it is."""
        data = written(plan)
        _, digest = read(data)
        name = f"plan_{digest[:16]}"
        path = self._folder / f"{name}.json"
        if path.exists():
            return self.card(name)
        made = card(plan, digest, origin)
        write_private(self._folder / f"{name}{_CARD}", msgspec.json.encode(made))
        write_private(path, data)
        return made

    def list(self) -> tuple[Card, ...]:
        """Every plan in short, the newest first."""
        names = [path.stem for path in self._folder.glob("plan_*.json") if _NAME.match(path.stem)]
        return tuple(sorted((self.card(one) for one in names), key=lambda one: (-one.kept_at, one.id)))

    def card(self, name: str) -> Card:
        """One plan in short; made anew from the plan where the card is gone. Raises NotFound and BadPlan."""
        path = self._path(name)
        try:
            return msgspec.json.decode(path.with_suffix(_CARD).read_bytes(), type=Card)
        except (FileNotFoundError, msgspec.MsgspecError):
            plan, digest = self.plan(name)
            made = card(plan, digest, Origin(at=path.stat().st_mtime))
            write_private(path.with_suffix(_CARD), msgspec.json.encode(made))
            return made

    def data(self, name: str) -> bytes:
        """The frozen file. Raises NotFound."""
        return self._path(name).read_bytes()

    def plan(self, name: str) -> tuple[Plan, str]:
        """A plan and its digest. Raises NotFound; BadPlan where the file is not what its name says."""
        found, digest = read(self.data(name), name)
        if digest[:16] != name.removeprefix("plan_"):
            raise BadPlan(f"{name} is another plan than its name says", param=name)
        return found, digest

    def _path(self, name: str) -> Path:
        path = self._folder / f"{name}.json"
        if not _NAME.match(name) or not path.is_file():
            raise NotFound(f"there is no plan {name[:60]!r}", hint="see them: freehold plan list")
        return path


def card(plan: Plan, digest: str, origin: Origin) -> Card:
    """A plan in short."""
    inputs = plan.inputs
    workflows = tuple(
        Brief(
            name=one.name,
            advice=None if one.decision is None else one.decision.advice,
            option=None if one.decision is None else one.decision.option,
            reason="" if one.decision is None else one.decision.reason,
            calls=one.rests.calls,
        )
        for one in plan.workflows
    )
    return Card(
        id=f"plan_{digest[:16]}",
        sha256=digest,
        made_on=inputs.made_on,
        kept_at=origin.at,
        by=origin.by,
        of=origin.of,
        levers=origin.levers,
        months=inputs.months,
        currency=inputs.contract.currency,
        trace=", ".join(dict.fromkeys(one.demand.trace for one in inputs.works)),
        workflows=workflows,
        npv=plan.advised.npv,
        saves=plan.advised.saves,
        stated=plan.advised.stated,
        assumed=len(plan.red),
    )
