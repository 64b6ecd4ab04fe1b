"""SQL of workflows and their templates. Every function takes an open connection."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, update

from freehold.core.db import upsert
from freehold.core.errors import NotFound
from freehold.gateway.assign import Template
from freehold.workflows.drift import Week
from freehold.workflows.known.tables import workflow_templates, workflows
from freehold.workflows.sums import store as record_sums
from freehold.workflows.tables import records
from freehold.workflows.types import Maturity, Shape, Workflow


class Pinned(msgspec.Struct, frozen=True):
    """A stored template, and whether a person said whose it is."""

    digest: bytes
    template: Template
    pinned: bool


def everything(connection: Connection) -> tuple[Workflow, ...]:
    """Every workflow, also those merged into others, oldest first."""
    query = select(workflows).order_by(workflows.c.made_at, workflows.c.id)
    return tuple(_workflow(one) for one in connection.execute(query).mappings())


def resolve(connection: Connection, name: str) -> Workflow:
    """The workflow of an id or a name; of one that was merged, what it was merged into. Raises NotFound."""
    known = {one.id: one for one in everything(connection)}
    found = known.get(name) or next((one for one in known.values() if one.name == name), None)
    while found is not None and found.into:
        found = known.get(found.into)
    if found is None:
        raise NotFound(f"there is no workflow {name!r}", hint="list them: freehold workflows list")
    return found


def roots(connection: Connection) -> dict[str, Workflow]:
    """Of every id and name under which calls were recorded: the workflow that it is part of now."""
    known = {one.id: one for one in everything(connection)}
    found: dict[str, Workflow] = {}
    for one in known.values():
        root = one
        while root.into and root.into in known:
            root = known[root.into]
        found |= {one.id: root, one.name: root}
    return found


def same_as(connection: Connection, name: str) -> tuple[str, tuple[str, ...]]:
    """The id of the workflow of an id or name, and what else its calls were recorded under. Raises NotFound."""
    found = resolve(connection, name)
    return found.id, tuple(one for one, root in roots(connection).items() if root.id == found.id and one != found.id)


def keep(connection: Connection, found: Sequence[Workflow]) -> None:
    """Write workflows down, over what was known of them."""
    rows = [_row(one) for one in found]
    upsert(connection, workflows, rows, tuple(column.name for column in workflows.columns if column.name != "id"))


def rename(connection: Connection, id: str, name: str, alias: Workflow) -> None:  # noqa: A002  the column's word
    """Give a workflow the name a person chose; its old one stays as an `alias`, a row that leads to it."""
    connection.execute(delete(workflows).where(workflows.c.name == name, workflows.c.into == id))
    connection.execute(update(workflows).where(workflows.c.id == id).values(name=name, renamed=True))
    keep(connection, [alias])


def taken(connection: Connection, name: str) -> str:
    """Id of the workflow that has a name; empty where it is free."""
    return connection.scalar(select(workflows.c.id).where(workflows.c.name == name)) or ""


def lead_into(connection: Connection, gone: str, into: str) -> None:
    """Merge: `gone`, what was merged into it, its templates and its records are `into`'s from now on."""
    mine = (workflows.c.id == gone) | (workflows.c.into == gone)
    connection.execute(update(workflows).where(mine).values(into=into))
    held = workflow_templates.c.workflow == gone
    connection.execute(update(workflow_templates).where(held).values(workflow=into))
    connection.execute(update(records).where(records.c.assigned == gone).values(assigned=into))
    record_sums.clear(connection)


def templates(connection: Connection, workflow: str = "") -> tuple[Pinned, ...]:
    """Stored templates, the most used first; of one workflow or of all."""
    query = select(workflow_templates).order_by(workflow_templates.c.count.desc(), workflow_templates.c.digest)
    if workflow:
        query = query.where(workflow_templates.c.workflow == workflow)
    return tuple(_template(one) for one in connection.execute(query).mappings())


def keep_templates(
    connection: Connection, found: Mapping[bytes, Template], still: Collection[str] = frozenset()
) -> None:
    """Put the templates of a run in place of the last run's; what is pinned, or of `still`, stays with its workflow."""
    kept = {one.digest for one in templates(connection) if one.pinned or one.template.workflow in still}
    loose = ~workflow_templates.c.pinned & workflow_templates.c.workflow.not_in(still)
    connection.execute(delete(workflow_templates).where(loose))
    rows = [
        {
            "digest": digest,
            "workflow": one.workflow,
            "pinned": False,
            "system": one.system,
            "user": one.user,
            "tools": json.dumps(one.tools),
            "keys": json.dumps(one.keys),
            "count": one.count,
        }
        for digest, one in found.items()
        if digest not in kept
    ]
    upsert(connection, workflow_templates, rows)
    for digest in kept & found.keys():
        which = workflow_templates.c.digest == digest
        connection.execute(update(workflow_templates).where(which).values(count=found[digest].count))


def pin(connection: Connection, digest: bytes, workflow: str) -> None:
    """A person says whose template it is."""
    which = workflow_templates.c.digest == digest
    connection.execute(update(workflow_templates).where(which).values(workflow=workflow, pinned=True))


def _workflow(row: Any) -> Workflow:
    ids = bytes(row["samples"])
    return Workflow(
        **{name: row[name] for name in ("id", "name", "named", "renamed", "into", "made_at", "found_at", "requests")},
        shape=msgspec.json.decode(row["shape"], type=Shape),
        maturity=msgspec.json.decode(row["maturity"], type=Maturity | None),
        weeks=msgspec.json.decode(row["weeks"], type=tuple[Week, ...]),
        samples=tuple(ids[at : at + 16] for at in range(0, len(ids), 16)),
    )


def _row(one: Workflow) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in ("id", "name", "named", "renamed", "into", "made_at", "found_at")}
    texts = {name: msgspec.json.encode(getattr(one, name)).decode() for name in ("shape", "maturity", "weeks")}
    return {**plain, **texts, "requests": one.requests, "samples": b"".join(one.samples)}


def _template(row: Any) -> Pinned:
    template = Template(
        workflow=row["workflow"],
        system=bytes(row["system"]),
        user=bytes(row["user"]),
        tools=tuple(json.loads(row["tools"])),
        keys=tuple(json.loads(row["keys"])),
        count=row["count"],
    )
    return Pinned(bytes(row["digest"]), template, bool(row["pinned"]))
