"""Does the audit log hold together, and all of it for taking along; over the management API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from freehold.ledger.audit import log, note, store
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described

router = APIRouter(prefix="/api/audit", tags=["audit"], dependencies=[Depends(Allowed("audit:read"))])

_PAGE = 1000


class ChainView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest checkpoints, each checked, and what they cover."""

    origin: str
    """Name of the log, as its checkpoints say it."""
    public_key: str
    """In hex; whoever checks the log should have it from elsewhere."""
    signed: int
    """Leaves under the newest checkpoint."""
    leaves: int
    """Leaves there are; those beyond `signed` are covered by the next checkpoint."""
    good: bool
    """Does every checkpoint that was looked at hold? False where there is none."""
    links: tuple[log.Link, ...]


FORMS = (ChainView, log.Link)


@router.get("/chain", responses=described(ChainView))
def chain(instance: Served, limit: Annotated[int, Query(ge=1, le=200)] = 24) -> Response:
    """Checkpoints with their signatures and consistency checked: that the log only grew.

    Whether each row is what was signed, `freehold audit verify` says, which reads all of them.
    """
    links = log.chain(instance.engine, instance.identity, limit)
    with instance.reading() as connection:
        leaves = store.size_of(connection)
    return answer(
        ChainView(
            origin=note.origin_of(instance.identity),
            public_key=instance.identity.public.hex(),
            signed=links[0].size if links else 0,
            leaves=leaves,
            good=bool(links) and all(one.good for one in links),
            links=tuple(links),
        )
    )


@router.get("/export")
def export(instance: Served) -> StreamingResponse:
    """Every change in the log, oldest first, one JSON object a line."""
    return StreamingResponse(_lines(instance), media_type="application/x-ndjson")


def _lines(instance: Instance) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    leaf = -1
    while True:
        with instance.reading() as connection:
            page = store.entries_after(connection, leaf, _PAGE)
        for one in page:
            yield encode(one) + b"\n"
        if len(page) < _PAGE:
            return
        leaf = int(str(page[-1]["leaf"]))
