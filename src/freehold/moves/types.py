"""What a move is: a rule written down before any outcome is read, and the events that happened to it since.

A move's state is the fold of its events (`machine.py`); nothing else is stored, so nothing can disagree with it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from freehold.core.canonical import exact
from freehold.core.crypto import sha256
from freehold.grading.types import Spec

Stage = Literal["observed", "evaluated", "tuned", "shadow", "canary", "owned", "rolled_back", "refused"]
ENDED: tuple[Stage, ...] = ("refused", "rolled_back")
SERVING: tuple[Stage, ...] = ("canary", "owned")
"""Stages in which the candidate answers callers."""
PAIRING: tuple[Stage, ...] = ("shadow", "canary", "owned")
"""Stages in which candidate and incumbent are compared on the same calls."""

Approval = Literal["shadow", "canary", "owned"]
"""Steps that may wait for a person."""
Recipe = Literal["classifier", "lora", "prompt", "none"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What decides. Fixed when the move begins: to change any of it is to start another move.

    Quality is a score in [0, 1]; `margin` and `harm` are differences of it (0.03 is three points).
    """

    grader: Spec
    reference: Literal["incumbent", "annotations"] = "incumbent"
    """What an answer is graded against: what the incumbent said, or, where the two differ, what people said."""
    margin: float = 0.03
    """The candidate may be worse by less than this."""
    alpha: float = 0.05
    """Greatest probability of a cut-over to a candidate that is worse by the margin or more."""
    futility: float = 0.05
    """Greatest probability of giving up on a candidate that is inside the margin."""
    harm: float = 0.03
    """Once the candidate serves, being worse by more than this is to be found."""
    patience: float = 25_000.0
    """Threshold of the detector: pairs until a false alarm, at least, on average."""
    steps: tuple[float, ...] = (0.05, 0.25, 0.5)
    """Shares of the traffic in canary, in order."""
    step_pairs: int = 40
    """Least pairs of a canary step before the next."""
    most_pairs: int = 20_000
    """Pairs after which an undecided shadow ends as refused."""
    holdback: float = 0.02
    """Share that stays with the incumbent after cut-over, to go on measuring."""
    sample: float = 1.0
    """Share of a shadow's or canary's calls that are paired."""
    sample_owned: float = 0.02
    """Share of calls served by the candidate after cut-over that the incumbent answers too."""
    window_until: float
    """Unix seconds: what is older trains and evaluates, only what is later decides."""
    approvals: tuple[Approval, ...] = ()
    """Steps that a person must approve: `shadow`, `canary`, `owned`."""
    usual: tuple[float, ...] = (0.01, 0.01, 0.01, 0.01, 0.01)
    """Shares of calls with each kind of fault (`schema`, `tool_name`, `refusal`, `timeout`, `empty`) that the
    incumbent's own recorded answers had: upper limits, measured when the move begins."""
    budget: str = "25"
    """Dollars that comparing may cost, from shadow to owned; decimal text. Once it is spent the move is held."""
    label_price: str = "0"
    """Dollars a person's annotation costs; decimal text."""

    def digest(self) -> str:
        """SHA-256 of the rule's canonical JSON, in hex."""
        return sha256(exact(msgspec.to_builtins(self))).hex()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be moved to what: part of the move's beginning, like the rule."""

    workflow: str
    incumbent: str
    """Target that serves the workflow now."""
    recipe: Recipe = "none"
    candidate: str = ""
    """Target or composite to move to; empty where the recipe makes one."""
    escalate: float | None = None
    """With a classifier: confidence under which the incumbent is asked; None where it answers everything."""
    auto: bool = False
    """The recipe was found, not named: where its model is refused, a more careful move may be proposed."""
    base: str = ""
    """Model a recipe starts from; empty for its default."""
    options: dict[str, Any] = {}
    """Of the recipe."""
    sweep: dict[str, list[Any]] = {}
    """Options of the recipe with several values each: a candidate is made with every combination, the best is taken."""
    first_look: int = 200
    """Most calls of the window that a candidate is asked before later ones decide. One that is hopeless by an interval
    that holds after any number of them ends there; none is accepted there."""


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to a move. `content` is plain JSON."""

    number: int
    at: float
    kind: str
    actor: str
    content: dict[str, Any]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate and incumbent on one call; scores in [0, 1]."""

    record: bytes
    at: float
    """When the call was made."""
    stage: Stage
    served: Literal["candidate", "incumbent"]
    candidate: float
    incumbent: float
    valid: bool
    """False where the candidate gave no usable answer: an error, a refusal, a broken schema, silence."""
    gold: bool = False
    """True where a person's annotation decided."""
    candidate_sha256: bytes = b""
    incumbent_sha256: bytes = b""
    """Of the two answers, as graded."""
    cost: int = 0
    """Picodollars that asking the other side cost."""

    @property
    def difference(self) -> float:
        """Candidate minus incumbent."""
        return self.candidate - self.incumbent


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow's migration, as its events leave it."""

    id: str
    rule: Rule
    plan: Plan
    stage: Stage = "observed"
    share: float = 0.0
    """Of the workflow's calls that go to the candidate."""
    step: int = -1
    """Index into the rule's steps while in canary."""
    candidate: str = ""
    """Target or composite, once there is one."""
    member: str = ""
    """The owned target within the candidate, where the candidate is a composite made for this move."""
    artefact: str = ""
    """Name in the store of what a recipe made."""
    held: str = ""
    """Why it stands still; empty where it goes on."""
    held_at: float = 0.0
    waiting: str = ""
    """The step a person has yet to approve."""
    approved: tuple[str, ...] = ()
    began: float = 0.0
    stage_at: float = 0.0
    stage_pairs: int = 0
    """Pairs there were when this step began."""
    cut_over: float | None = None
    """When it became owned."""
    evaluated: bool = False
    """Has the candidate's scorecard on the window been read?"""
    unpaid: bool = False
    """The budget of comparing is spent: nothing is compared until a person lets it go on."""
    spent_before: float = 0.0
    """Dollars that comparing had cost when a person last let a held move go on: the budget counts from there."""
    events: int = 0

    @property
    def ended(self) -> bool:
        """True where nothing happens by itself any more."""
        return self.stage in ENDED
