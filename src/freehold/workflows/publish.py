"""Content of the `workflows` snapshot: what the gateway assigns calls by."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from freehold.gateway.assign import Workflows
from freehold.workflows.known import store


def content(connection: Connection) -> Workflows:
    """Templates and names in force, in an order that only depends on them."""
    known = {one.id: one for one in store.everything(connection)}

    def end(id: str) -> str:  # noqa: A002  the column's word
        while known[id].into:
            id = known[id].into  # noqa: A001
        return id

    # Counts change with every run and say nothing to the gateway: they would make every run a new version.
    templates = [
        msgspec.structs.replace(one.template, workflow=end(one.template.workflow), count=0)
        for one in sorted(store.templates(connection), key=lambda one: one.digest)
        if one.template.workflow in known
    ]
    names = sorted((one.name, end(one.id)) for one in known.values())
    return Workflows(templates=tuple(templates), names=tuple(names))
