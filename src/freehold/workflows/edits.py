"""What people change about workflows: their names, merging two, splitting one. It survives every later discovery.

Merging and splitting pin templates: whoever follows a pinned template is of that workflow, whatever else is found.
"""

from __future__ import annotations

import re

import msgspec
from sqlalchemy import Connection

from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.workflows.identities import id_of
from freehold.workflows.known import store
from freehold.workflows.naming import unique
from freehold.workflows.types import Workflow

_LIST = "name two different ones: freehold workflows list"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ /-]{0,63}")


def rename(connection: Connection, workflow: Workflow, name: str) -> Workflow:
    """Give a name. The old one leads to it as before, so callers who say it, and moves, are not left behind.

    Raises BadRequest where it is no name, Conflict where another workflow has it.
    """
    check_name(name)
    owner = store.taken(connection, name)
    own_once = owner == id_of(f"was:{name}") and store.resolve(connection, name).id == workflow.id
    if owner and owner != workflow.id and not own_once:
        raise Conflict(f"another workflow is named {name!r}", hint="choose another name, or merge the two")
    if name != workflow.name:
        was = id_of(f"was:{workflow.name}")
        alias = Workflow(id=was, name=workflow.name, into=workflow.id, made_at=workflow.made_at)
        store.rename(connection, workflow.id, name, alias)
    return msgspec.structs.replace(workflow, name=name, renamed=True)


def check_name(name: str) -> None:
    """Raises BadRequest."""
    if not _NAME.fullmatch(name) or name.startswith("wf_"):
        raise BadRequest(
            f"{name!r} is no name for a workflow",
            param="name",
            hint="use up to 64 letters, digits, spaces and any of . _ / - and do not begin with wf_",
        )


def merge(connection: Connection, gone: Workflow, into: Workflow) -> Workflow:
    """Make one of two: `into` stays. Raises BadRequest where they are one already."""
    if gone.id == into.id:
        raise BadRequest(f"{into.name} cannot be merged into itself", param="into", hint=_LIST)
    for one in (gone, into):
        for each in store.templates(connection, one.id):
            store.pin(connection, each.digest, into.id)
    store.lead_into(connection, gone.id, into.id)
    merged = msgspec.structs.replace(into, requests=into.requests + gone.requests)
    store.keep(connection, [merged])
    return merged


def split(connection: Connection, workflow: Workflow, numbers: tuple[int, ...], name: str, now: float) -> Workflow:
    """Make a workflow of its own out of some templates, by their numbers from 1 as `show` lists them.

    Its records follow at the next discovery. Raises NotFound where there is no such template, BadRequest where
    nothing would be left.
    """
    held = store.templates(connection, workflow.id)
    wrong = [one for one in numbers if not 1 <= one <= len(held)]
    if wrong or not numbers:
        raise NotFound(
            f"{workflow.name} has {len(held)} templates, and none with the number {wrong[0] if wrong else 0}",
            hint=f"see them: freehold workflows show {workflow.name}",
        )
    if len(set(numbers)) == len(held):
        hint = f"see them: freehold workflows show {workflow.name}"
        raise BadRequest("all of its templates would go, and nothing be left", param="templates", hint=hint)
    known = store.everything(connection)
    if name:
        check_name(name)
        if store.taken(connection, name):
            raise Conflict(f"another workflow is named {name!r}", hint="choose another name")
    taken = {one.id for one in known}
    digests = [held[one - 1].digest for one in sorted(set(numbers))]
    count = 0
    while (fresh := id_of(f"split:{digests[0].hex()}:{count}")) in taken:
        count += 1
    made = Workflow(
        id=fresh,
        name=name or unique(f"{workflow.name}-part", {one.name for one in known}),
        renamed=bool(name),
        made_at=now,
        shape=workflow.shape,
        requests=sum(held[one - 1].template.count for one in set(numbers)),
    )
    store.keep(connection, [made])
    for number, one in enumerate(held, 1):
        store.pin(connection, one.digest, fresh if number in numbers else workflow.id)
    return made
