"""Who serves models, over the management API."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Depends, Response

from freehold.core.errors import NotFound
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.probe import Probed, probe
from freehold.server.structs import answer, described
from freehold.settings.environment import resolve_secret
from freehold.settings.errors import MissingSecret

router = APIRouter(prefix="/api/providers", tags=["providers"])

READ = [Depends(Allowed("routes:read"))]
CHECK = [Depends(Allowed("providers:check"))]


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, the targets that lead to it, and where its key is read from.

    `key` is `set` or `missing`, as this instance sees it now, or empty where the provider needs none.
    """

    name: str
    address: str
    driver: str
    owned: bool
    regions: tuple[str, ...]
    targets: tuple[str, ...]
    api_key: str
    key: str


FORMS = (Probed, ProviderView)


@router.get("", dependencies=READ, responses=described(list[ProviderView]))
def index(instance: Served) -> Response:
    """Every provider that a target names; for engines of this machine, one line for all."""
    return answer(_providers(instance))


@router.post("/{name:path}/check", dependencies=CHECK, responses=described(list[Probed]))
async def check(name: str, instance: Served) -> Response:
    """Ask each address of a provider for its models, with our key and without any content."""
    found = instance.publisher.routes(instance.settings).targets
    addresses = {one.origin: one for one in found if one.provider == name}
    if not addresses:
        raise NotFound(f"no target leads to a provider {name!r}", hint="list them: freehold providers list")
    return answer([await probe(one, resolve_secret) for one in addresses.values()])


def _providers(instance: Instance) -> list[ProviderView]:
    found = instance.publisher.routes(instance.settings).targets
    names = sorted({one.provider for one in found})
    views = []
    for name in names:
        mine = [one for one in found if one.provider == name]
        views.append(
            ProviderView(
                name=name,
                address=f"{mine[0].origin}{mine[0].path}",
                driver=mine[0].driver,
                owned=mine[0].owned,
                regions=tuple(sorted({one.region for one in mine})),
                targets=tuple(one.name for one in mine),
                api_key=mine[0].credential,
                key=_key(mine[0].credential),
            )
        )
    return views


def _key(reference: str) -> str:
    try:
        return "set" if resolve_secret(reference) else ""
    except MissingSecret:
        return "missing"
