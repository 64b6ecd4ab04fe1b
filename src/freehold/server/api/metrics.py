"""`/metrics` for Prometheus, on the management listener: figures out of the ledger, for who may read usage."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from freehold.core.errors import FreeholdError
from freehold.core.process import read_processes
from freehold.gateway.shared.looking import look
from freehold.ledger.audit import store as audit
from freehold.ledger.intake import store as intake
from freehold.ledger.intake import tail
from freehold.ledger.objects.carrier import standing as shipped
from freehold.policy.authority import standing
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.serving.deployments import deployed
from freehold.settings import compile as compiled
from freehold.settings.valkey import shared_of
from freehold.telemetry import store
from freehold.telemetry.exposition import CONTENT_TYPE, text
from freehold.telemetry.figures import State, families
from freehold.telemetry.tally import Tally

router = APIRouter(tags=["status"], dependencies=[Depends(Allowed("usage:read"))])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(instance: Served, request: Request) -> Response:
    """Figures in Prometheus' text format; each says where it comes from."""
    tally = request.app.state.tally
    assert isinstance(tally, Tally)
    now = instance.clock()
    with instance.reading() as connection:
        totals = tally.look(connection, now)
        state = _state(instance, connection, now)
    told = text(families(totals, state))
    return Response(told, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})


def _state(instance: Instance, connection: Connection, now: float) -> State:
    size, signed_at = audit.last_checkpoint(connection)
    run = instance.home / "run"
    found = read_processes(run / "processes.json")
    budgets = compiled.policy(instance.settings, ()).budgets
    return State(
        lag_bytes=_lag(instance.home / "journal", intake.read_positions(connection)),
        waiting_changes=audit.waiting(connection),
        checkpoint_age=max(now - signed_at, 0.0) if size else None,
        jobs=tuple(store.jobs_by_state(connection)),
        moves=tuple(store.moves_by_stage(connection)),
        processes=found.children if found else (),
        engines=frozenset(one.process for one in deployed(run)),
        budgets=[standing(instance.engine, one, now) for one in budgets],
        shipped=shipped(instance.home) if instance.started.bodies.url else None,
        problems=len(instance.problems.problems) if instance.problems else 0,
        versions=tuple(sorted(instance.versions.items())),
        valkey=_valkey(instance),
    )


def _valkey(instance: Instance) -> bool | None:
    try:
        shared = shared_of(instance.started)
        if shared is None:
            return None
        look(shared)
    except FreeholdError:
        return False
    return True


def _lag(journal: Path, positions: dict[str, tuple[int, int]]) -> int:
    """Bytes of journals beyond what is in the tables. A file that goes meanwhile is in them."""
    lag = 0
    for epoch in tail.epochs_in(journal):
        segment, offset = positions.get(epoch, (0, 0))
        for path in tail.open_segments(journal / epoch, segment):
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            lag += max(size - (offset if int(path.stem) == segment else 0), 0)
    return lag
