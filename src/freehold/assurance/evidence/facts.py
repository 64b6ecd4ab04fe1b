"""The facts evidence is computed from: what was read of this instance, at one moment, over one period.

Invariant: a section that could not be read is None and named in `unread`. No prompt and no secret is in it; people the
instance knows are told by their ids.
"""

from __future__ import annotations

import msgspec


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the whole check of the audit log found. Sizes are counts of leaves."""

    good: bool
    size: int
    signed: int
    outside: int
    checkpoints: int
    erased: int
    cut: tuple[str, ...]
    """Calls that were begun and never ended."""
    problems: tuple[str, ...]


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """One folder of outside checkpoints."""

    folder: str
    size: int
    at: str
    error: str
    differs: bool


class KeyFact(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual key. Days count up to the moment of the facts."""

    id: str
    name: str
    team: str
    role: str
    label: str
    routes: tuple[str, ...]
    rights: tuple[str, ...]
    active: bool
    expires_at: str
    """Empty for never."""
    secret_days: int
    """Age of the secret that opens it."""
    idle_days: int
    """Since its last call, else since it was made."""
    limited: bool
    """Its requests or tokens are."""
    budgets: tuple[str, ...]
    """Money budgets its calls draw on: its own and its team's, as the data plane was told."""


class PersonFact(msgspec.Struct, frozen=True, kw_only=True):
    """One person who may sign in, or could."""

    id: str
    active: bool
    sessions: int
    """That count now."""
    idle_days: int
    """Since the last sign-in, else since they became known."""


class GlassFact(msgspec.Struct, frozen=True, kw_only=True):
    """One break-glass."""

    id: str
    right: str
    state: str
    asked_by: str
    approved_by: str
    why: bool
    """A reason was given."""


class ChangeFact(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of one kind by one actor."""

    kind: str
    actor: str
    count: int


class CallsFact(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of the period that are alike."""

    team: str
    route: str
    label: str
    target: str
    outcome: str
    error: str
    keyed: bool
    """A key is known."""
    decided: bool
    """A version of the policy is written down."""
    scanned: bool
    calls: int


class SentFact(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of calls of the period that are alike: every target that was sent something, not only the last."""

    team: str
    route: str
    label: str
    target: str
    owned: bool
    region: str
    attempts: int
    known: bool
    """The target is still there."""
    against: str
    """Why the policy in force would not let them go there; empty where it would."""


class ScanFact(msgspec.Struct, frozen=True, kw_only=True):
    """What guards found, or a detector that failed. Counts, over all calls of the period."""

    what: str
    """`detector/kind`."""
    side: str
    count: int
    failed: bool = False


class NeedFact(msgspec.Struct, frozen=True):
    """Something that must be known of a rented target. `lacks` is empty where it is."""

    name: str
    lacks: str


class TargetFact(msgspec.Struct, frozen=True, kw_only=True):
    """One target."""

    name: str
    model: str
    owned: bool
    region: str
    clearance: str
    origin: str
    local: bool
    """This machine itself."""
    stored: bool
    """It serves a model of the store."""
    needs: tuple[NeedFact, ...]


class RouteFact(msgspec.Struct, frozen=True, kw_only=True):
    """One route."""

    name: str
    targets: tuple[str, ...]
    guard: str
    capture: bool
    label: str
    budgets: tuple[str, ...]


class GuardRuleFact(msgspec.Struct, frozen=True):
    """One rule of a profile."""

    detector: str
    action: str
    directions: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    """Empty for every kind."""
    sources: tuple[str, ...] = ()
    """Empty for whoever wrote it."""


class GuardFact(msgspec.Struct, frozen=True, kw_only=True):
    """One profile that a route names."""

    name: str
    on_failure: str
    schema: str
    rules: tuple[GuardRuleFact, ...]


class PolicyFact(msgspec.Struct, frozen=True, kw_only=True):
    """The policy in force."""

    version: int
    air_gapped: bool
    closed: str
    rules: int
    cedar: bool
    budgets: tuple[str, ...]


class KeepingFact(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies that were kept, over all time."""

    kept: int
    overdue: int
    """Past their day and under no hold."""
    erased: int
    failed_jobs: tuple[str, ...]
    """Erasures that failed."""


class HoldFact(msgspec.Struct, frozen=True, kw_only=True):
    """One legal hold."""

    id: str
    active: bool
    why: bool
    erased: int
    """Bodies under it that were erased while it held."""


class FileFact(msgspec.Struct, frozen=True):
    """One secret file of the instance; `mode` in octal digits, empty where it is not there."""

    name: str
    mode: str


class MoveFact(msgspec.Struct, frozen=True, kw_only=True):
    """One move, and what its own check says."""

    id: str
    workflow: str
    stage: str
    serving: bool
    asked: tuple[str, ...]
    """Steps a person must approve by its rule."""
    approved: tuple[str, ...]
    """`step by actor`."""
    by_hand: tuple[str, ...]
    """Promoted without proof: by whom."""
    failed: tuple[str, ...]
    """Checks of its dossier that do not hold."""
    watched: int
    """Pairs compared since the candidate serves."""


class EvalFact(msgspec.Struct, frozen=True, kw_only=True):
    """The newest finished evaluation of a target on a workflow."""

    id: str
    workflow: str
    target: str
    at: str
    age_days: int


class WorkflowFact(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow that was served in the period; one without an id is all calls that belong to none."""

    id: str
    targets: tuple[str, ...]
    calls: int


class ModelFact(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the store."""

    name: str
    kind: str
    sha256: str
    whole: str
    """`yes`; what is wrong; empty where it was not read."""
    papers: bool
    scan: str
    rules: str
    licence: str
    licence_verdict: str
    signature: str
    reviewed_by: str
    expired: bool
    statements: tuple[str, ...]
    trained: bool
    dataset_sha256: str
    base: str


class ErratumFact(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory against one thing that is here."""

    advisory: str
    what: str
    standing: str


class EndingFact(msgspec.Struct, frozen=True, kw_only=True):
    """How long a target lasts."""

    target: str
    state: str
    ends_on: str


class SetFact(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says that no other record holds."""

    sign_in: bool
    """People sign in at an issuer."""
    outside: int
    """Folders of outside checkpoints."""
    consent_required: bool
    most_sensitive: str
    """The most sensitive content that may train a model."""


class Unread(msgspec.Struct, frozen=True):
    """A section that could not be read."""

    section: str
    why: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything; sections are None where they could not be read."""

    at: str
    since: str
    unread: tuple[Unread, ...] = ()
    break_glass: tuple[GlassFact, ...] | None = None
    calls: tuple[CallsFact, ...] | None = None
    changes: tuple[ChangeFact, ...] | None = None
    endings: tuple[EndingFact, ...] | None = None
    errata: tuple[ErratumFact, ...] | None = None
    evals: tuple[EvalFact, ...] | None = None
    files: tuple[FileFact, ...] | None = None
    guards: tuple[GuardFact, ...] | None = None
    holds: tuple[HoldFact, ...] | None = None
    keeping: KeepingFact | None = None
    keys: tuple[KeyFact, ...] | None = None
    log: Log | None = None
    models: tuple[ModelFact, ...] | None = None
    moves: tuple[MoveFact, ...] | None = None
    outside: tuple[Outside, ...] | None = None
    people: tuple[PersonFact, ...] | None = None
    policy: PolicyFact | None = None
    routes: tuple[RouteFact, ...] | None = None
    scans: tuple[ScanFact, ...] | None = None
    sent: tuple[SentFact, ...] | None = None
    settings: SetFact | None = None
    targets: tuple[TargetFact, ...] | None = None
    workflows: tuple[WorkflowFact, ...] | None = None
