"""Facts about owned models, advisories, ends, evaluations and moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from sqlalchemy import Connection

from freehold import __version__
from freehold.assurance.errata import feeds, inventory
from freehold.assurance.errata.descent import with_ancestors
from freehold.assurance.errata.matching import matched
from freehold.assurance.errata.patches import held_off
from freehold.assurance.evidence.facts import EndingFact, ErratumFact, EvalFact, ModelFact, MoveFact, WorkflowFact
from freehold.assurance.lifecycle import endings, retirements
from freehold.core.clock import iso
from freehold.core.crypto import Identity
from freehold.core.errors import FreeholdError
from freehold.evals import store as evals_store
from freehold.moves import store as moves_store
from freehold.moves.dossier import Evidence, make
from freehold.moves.types import SERVING, Event, Move
from freehold.moves.verify import verify
from freehold.policy.targets import Target
from freehold.registry.artefacts import Store
from freehold.registry.papers.binding import lines
from freehold.registry.types import Manifest, expired
from freehold.serving.deployments import deployed

DAY = 86400.0
MOST = 1_000_000
"""Evaluations and moves that are looked at: all of them."""


def models(home: Path, identity: Identity, now: float, *, bytes_too: bool) -> tuple[ModelFact, ...]:
    """Every model of the store, by name."""
    store = Store(home / "store", identity)
    found = sorted(store.list(), key=lambda one: one.name)
    return tuple(_model(one, now, _whole(store, one.name) if bytes_too else "") for one in found)


def _whole(store: Store, name: str) -> str:
    try:
        store.verify(name)
    except (FreeholdError, OSError) as error:
        return getattr(error, "message", "") or f"it cannot be read: {type(error).__name__}"
    return "yes"


def _model(one: Manifest, now: float, whole: str) -> ModelFact:
    papers, lineage = one.papers, one.lineage
    return ModelFact(
        name=one.name,
        kind=one.kind,
        sha256=one.files[0].sha256,
        whole=whole,
        papers=papers is not None,
        scan=papers.scan if papers else "",
        rules=papers.rules if papers else "",
        licence=papers.licence.expression if papers else "",
        licence_verdict=papers.licence.verdict if papers else "",
        signature=papers.signature.method if papers else "",
        reviewed_by=papers.reviewed_by if papers else "",
        expired=expired(one, now),
        statements=tuple(sorted({each.kind for each in papers.statements})) if papers else (),
        trained=lineage is not None,
        dataset_sha256=lineage.dataset_sha256 if lineage else "",
        base=lineage.base if lineage else "",
    )


def errata(
    home: Path, identity: Identity, targets: Sequence[Target], engines: Mapping[str, inventory.Attached]
) -> tuple[ErratumFact, ...]:
    """Every advisory that may be about something here."""
    found = feeds.everything(home)
    store = Store(home / "store", identity)
    served = [one.model for one in deployed(home / "run") if one.kind != "classifier"]
    embedded = {name: inventory.EMBEDDED for one in served for name in (one, one.partition("@")[0])}
    things = (
        *inventory.engines(attached=engines),
        *inventory.tools(found),
        *with_ancestors(inventory.models((*store.list(), *store.kept()), embedded), lines(store)),
        *inventory.rented(targets),
        *inventory.ours(__version__, inventory.installed("genai-prices"), __version__),
    )
    matches = matched(found, things, held_off())
    facts = {(one.advisory, one.what, one.standing) for one in matches}
    return tuple(
        ErratumFact(advisory=advisory, what=what, standing=standing) for advisory, what, standing in sorted(facts)
    )


def lasting(targets: Iterable[Target], now: float) -> tuple[EndingFact, ...]:
    """How long each target lasts, by name."""
    found = endings(targets, retirements(), date.fromisoformat(iso(now)[:10]), 0)
    return tuple(
        EndingFact(target=one.target, state=one.state, ends_on=one.ends_on)
        for one in sorted(found, key=lambda one: one.target)
    )


def workflows(served: Mapping[str, Mapping[str, int]]) -> tuple[WorkflowFact, ...]:
    """What was served in the period, by id."""
    return tuple(
        WorkflowFact(id=name, targets=tuple(sorted(targets)), calls=sum(targets.values()))
        for name, targets in sorted(served.items())
    )


def evals(connection: Connection, now: float) -> tuple[EvalFact, ...]:
    """The newest evaluation of each target on each workflow that came to a scorecard."""
    newest: dict[tuple[str, str], EvalFact] = {}
    for run in sorted(evals_store.list_runs(connection, limit=MOST), key=lambda one: (one.at, one.id)):
        if run.state != "done" or not evals_store.scorecard_of(connection, run.id):
            continue
        at = run.ended_at or run.at
        newest[run.plan.workflow, run.plan.target] = EvalFact(
            id=run.id,
            workflow=run.plan.workflow,
            target=run.plan.target,
            at=iso(at),
            age_days=max(0, int((now - at) // DAY)),
        )
    return tuple(newest[name] for name in sorted(newest))


def moves(connection: Connection, identity: Identity, acting: Mapping[str, str], now: float) -> tuple[MoveFact, ...]:
    """Every move, by id, with what its dossier's own check says. `acting`: ids of people by how they are known."""
    found = sorted(moves_store.everything(connection, limit=MOST), key=lambda one: one.id)
    return tuple(_move(connection, one, identity, acting, now) for one in found)


def _move(connection: Connection, move: Move, identity: Identity, acting: Mapping[str, str], now: float) -> MoveFact:
    def who(event: Event) -> str:
        return acting.get(event.actor, event.actor)

    events, pairs = moves_store.events(connection, move.id), moves_store.pairs_of(connection, move.id)
    dossier = Evidence(
        move=move, workflow_name=move.plan.workflow, events=events, pairs=pairs, artefact={}, savings=None
    )
    checks = verify(make(dossier, identity, now))
    serving = move.stage in SERVING
    since = min((one.at for one in events if _to(one) in SERVING), default=now)
    return MoveFact(
        id=move.id,
        workflow=move.plan.workflow,
        stage=move.stage,
        serving=serving,
        asked=tuple(move.rule.approvals),
        approved=tuple(f"{one.content['step']} by {who(one)}" for one in events if one.kind == "approved"),
        by_hand=tuple(who(one) for one in events if one.content.get("metric") == "promoted"),
        failed=tuple(f"{one.what}: {one.detail}".rstrip(": ") for one in checks if not one.ok),
        watched=sum(one.at >= since for one in pairs) if serving else 0,
    )


def _to(event: Event) -> str:
    return str(event.content.get("to", "")) if event.kind == "stage" else ""
