"""What `freehold doctor` says of the object store: how shipping stands, and whether the store does what is asked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from freehold.cli.place import Place
from freehold.core.errors import FreeholdError

if TYPE_CHECKING:
    from freehold.ledger.objects.place import Objects

Told = tuple[str, str, str, str]
"""State, about, message, fix."""
_ABOUT = "bodies"


def looked(place: Place, config: str | None) -> Iterator[Told]:
    """Nothing where bodies lie in the folder."""
    from freehold.ledger.objects.carrier import standing
    from freehold.settings.bodies import store_of
    from freehold.settings.errors import MissingSecret
    from freehold.settings.last_good import in_force

    try:
        settings = in_force(config, place.home).settings
        if not settings.bodies.url:
            return
        store = store_of(settings)
        assert store is not None
        yield from tried(store)
    except MissingSecret as error:
        yield "warn", _ABOUT, f"{error.message}, here", error.hint
    except FreeholdError as error:
        yield "fail", _ABOUT, error.message, error.hint
    found = standing(place.home)
    if found is None:
        return
    waits = f"{found.waiting} wait in the home, {found.bytes / 1e6:.1f} MB"
    if found.full:
        fix = "have the store answer again, or raise spool_mb in [bodies]"
        yield "fail", _ABOUT, f"{waits}: the spool is full, and new ones are not kept", fix
    elif found.error:
        yield "warn", _ABOUT, f"{waits}: {found.error}", "see that the store answers; nothing is lost meanwhile"
    else:
        yield "ok", _ABOUT, f"{found.url}; {waits}", ""
    if found.strange:
        fix = "look at those objects: the writer's log names them"
        yield "fail", _ABOUT, f"{found.strange} names belong to something else in the store", fix


def tried(store: Objects) -> Iterator[Told]:
    """Keep, read, keep again and delete one object of no content. Raises StoreAway."""
    name, data = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(16)
    try:
        if store.put(name, data) is not None or store.get(name) != data:
            yield "fail", _ABOUT, f"{store.url} does not give back what it took", "use another store"
        if store.put(name, data[::-1]) != data:
            fix = "bring the store up to date: it must know `If-None-Match`"
            yield "warn", _ABOUT, f"{store.url} lets an object be overwritten", fix
    finally:
        store.delete(name)
    if store.get(name) is not None:
        yield "fail", _ABOUT, f"{store.url} does not delete: nothing could be erased", "allow it to delete objects"
