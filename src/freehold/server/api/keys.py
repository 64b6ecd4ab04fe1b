"""Virtual keys over the management API. A secret is in the answer that makes it, and never again."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.core.label import UNKNOWN, parse_label
from freehold.core.section import Count, LabelText, Money, Name
from freehold.identity import lifecycle, store
from freehold.identity.keys import Key, state
from freehold.identity.rights import checked
from freehold.identity.roles import demand, key_permissions
from freehold.jobs import store as jobs
from freehold.ledger.capture import check_holds
from freehold.ledger.errors import Held
from freehold.ledger.store import bodies_of_key
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.settings.errors import DanglingName
from freehold.settings.owned import OWNED_ROUTES

router = APIRouter(prefix="/api/keys", tags=["keys"])

READ = [Depends(Allowed("keys:read"))]
Eraser = Annotated[Actor, Depends(Allowed("bodies:erase"))]
Writer = Annotated[Actor, Depends(Allowed("keys:write"))]


class KeyChange(BaseModel):
    """What may be changed in a key; what is left out stays. Times are Unix seconds, money US dollars."""

    model_config = ConfigDict(extra="forbid")

    team: Name | None = None
    role: str | None = None
    routes: tuple[str, ...] | None = None
    label: LabelText | None = None
    rights: tuple[str, ...] | None = Field(None, description="Named rights; only an owner gives or takes them.")
    expires_at: float | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    budget: Money | None = None
    period: Literal["hour", "day", "week", "month", "total"] | None = None


class NewKey(KeyChange):
    """A key to be made. Without a label its content counts as top secret: only owned targets take it."""

    name: Name


class Rotation(BaseModel):
    """How a key is rotated."""

    model_config = ConfigDict(extra="forbid")

    grace_seconds: float = Field(lifecycle.GRACE_SECONDS, ge=0, description="How long the old secret still counts.")


class KeyErasure(BaseModel):
    """Why bodies are erased; kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=128)


class Queued(BaseModel):
    """The job that does it; see /api/jobs."""

    job: str


class KeyView(BaseModel):
    """A key as anybody may see it."""

    id: str
    name: str
    state: str
    prefix: str
    team: str
    role: str
    routes: tuple[str, ...]
    label: str
    rights: tuple[str, ...]
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    budget: Decimal | None
    period: str


class MadeKey(KeyView):
    """A key with its secret, shown this once."""

    secret: str


@router.get("", dependencies=READ)
def index(instance: Served) -> list[KeyView]:
    """Every key, oldest first."""
    with instance.reading() as connection:
        keys = store.everything(connection)
    return [view(one, instance.clock()) for one in keys]


@router.post("", status_code=201)
def create(new: NewKey, instance: Served, actor: Writer) -> MadeKey:
    """Make a key."""
    changes = _changes(new, instance, actor)
    key = Key(id="", name=new.name, created_by=actor.name, **changes)  # type: ignore[arg-type]
    content: dict[str, object] = {"name": new.name, "label": str(key.label), "team": key.team, "role": key.role}
    if key.rights:
        content["rights"] = list(key.rights)
    with instance.changing(actor.name, "key.create", content) as connection:
        made, secret = lifecycle.create(connection, key, instance.clock(), instance.random)
    return MadeKey(secret=secret, **view(made, instance.clock()).model_dump())


@router.get("/{name:path}", dependencies=READ)
def show(name: str, instance: Served) -> KeyView:
    """One key by name or id."""
    with instance.reading() as connection:
        return view(store.by_name(connection, name), instance.clock())


@router.patch("/{name:path}")
def update(name: str, change: KeyChange, instance: Served, actor: Writer) -> KeyView:
    """Change a key. To lower what its content counts as is its owner's to decide, as making keys with rights is."""
    changes = _changes(change, instance, actor)
    content: dict[str, object] = {"name": name, "changed": sorted(changes)}
    if "rights" in changes:
        content["rights"] = list(change.rights or ())
    with instance.changing(actor.name, "key.update", content) as connection:
        _guard(store.by_name(connection, name), actor)
        before, after = lifecycle.update(connection, name, instance.clock(), **changes)
        if not before.label.within(after.label):
            demand(actor.role, "keys:admin")
        if before.label != after.label:  # what a key's content counts as decides where it may go
            content |= {"label": str(after.label), "label_before": str(before.label)}
    return view(after, instance.clock())


@router.post("/{name:path}/rotate")
def rotate(name: str, how: Rotation, instance: Served, actor: Writer) -> MadeKey:
    """Give a key a new secret; the old one counts a while longer."""
    now = instance.clock()
    content: dict[str, object] = {"name": name, "grace_seconds": str(how.grace_seconds)}
    with instance.changing(actor.name, "key.rotate", content) as connection:
        _guard(store.by_name(connection, name), actor)
        key, secret = lifecycle.rotate(connection, name, now, instance.random, how.grace_seconds)
    return MadeKey(secret=secret, **view(key, now).model_dump())


@router.post("/{name:path}/revoke")
def revoke(name: str, instance: Served, actor: Writer) -> KeyView:
    """End a key at once."""
    with instance.changing(actor.name, "key.revoke", {"name": name}) as connection:
        _guard(store.by_name(connection, name), actor)
        key = lifecycle.revoke(connection, name, instance.clock())
    return view(key, instance.clock())


@router.post("/{name:path}/erase", status_code=202)
def erase(name: str, why: KeyErasure, instance: Served, actor: Eraser) -> Queued:
    """Erase every body kept of calls by this key, in the background; what they cost stays. A legal hold refuses it."""
    content: dict[str, object] = {"name": name, "why": why.why}
    try:
        with instance.changing(actor.name, "key.erase", content) as connection:
            key = store.by_name(connection, name)
            check_holds(connection, bodies_of_key(key.id))
            payload = {"key": key.id, "why": why.why}
            return Queued(job=jobs.add(connection, instance.new_id(), "capture.erase", payload, instance.clock()))
    except Held as error:
        instance.note(actor.name, "erase.refused", {**content, "reason": error.message})
        raise


def view(key: Key, now: float) -> KeyView:
    """A key without its digests."""
    return KeyView(
        id=key.id,
        name=key.name,
        state=state(key, now),
        prefix=key.prefix,
        team=key.team,
        role=key.role,
        routes=key.routes,
        label=str(key.label),
        rights=key.rights,
        created_at=iso(key.created_at),
        created_by=key.created_by,
        expires_at=None if key.expires_at is None else iso(key.expires_at),
        revoked_at=None if key.revoked_at is None else iso(key.revoked_at),
        requests_per_minute=key.requests_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        budget=key.budget,
        period=key.period,
    )


def _changes(change: KeyChange, instance: Instance, actor: Actor) -> dict[str, object]:
    """The fields that were given, as a Key holds them. Raises DanglingName, Forbidden, BadRequest."""
    given = change.model_dump(exclude_unset=True, exclude={"name"})
    fixed = ("team", "role", "routes", "period", "rights")
    given = {name: value for name, value in given.items() if value is not None or name not in fixed}
    if "label" in given:
        given["label"] = parse_label(given["label"]) if given["label"] else UNKNOWN
    known = {"*", *instance.settings.routes, *OWNED_ROUTES}
    unknown = sorted(set(given.get("routes", ())) - known)
    if unknown:
        hint = f"name some of: {', '.join(sorted(known))}"
        raise DanglingName(f"there is no route {', '.join(unknown)}", hint=hint, param="routes")
    if key_permissions(given.get("role", "developer")) or "rights" in given:
        demand(actor.role, "keys:admin")
    if "rights" in given:
        given["rights"] = checked(given["rights"])
    return given


def _guard(key: Key, actor: Actor) -> None:
    """Only who may make administrative keys, and keys with rights, may touch them."""
    if key_permissions(key.role) or key.rights:
        demand(actor.role, "keys:admin")
