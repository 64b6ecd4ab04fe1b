"""What `freehold doctor` says of the servers an instance uses: database, Valkey, object store, Ray."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from freehold.cli.finding import Finding
from freehold.cli.place import Place
from freehold.core.errors import FreeholdError

if TYPE_CHECKING:
    from freehold.ledger.objects.place import Objects


def servers(place: Place, config: str | None) -> Iterator[Finding]:
    """Each that the settings in force name; `config` is the file the instance goes by."""
    for look in (_database, _valkey, _bodies, _cluster):
        yield from look(place, config)


def _database(place: Place, config: str | None) -> Iterator[Finding]:
    """Whether a server keeps the state, and answers. A file of the home is looked at with the home."""
    from sqlalchemy.exc import SQLAlchemyError

    from freehold.core.db import check, connect
    from freehold.settings.database import database_at

    try:
        url = database_at(config, place.home)
        if url.get_backend_name() == "sqlite":
            return
        engine = connect(url)
        try:
            check(engine)
        finally:
            engine.dispose()
    except FreeholdError as error:
        yield Finding("fail", "database", error.message, error.hint)
    except SQLAlchemyError as error:
        yield Finding("fail", "database", f"it cannot be read: {type(error).__name__}", "see its own log")
    else:
        yield Finding("ok", "database", f"PostgreSQL at {url.host or url.query.get('host')}, {url.database}")


def _valkey(place: Place, config: str | None) -> Iterator[Finding]:
    """Whether what gateways share is there, and forgets no limits where memory runs out."""
    from freehold.settings.last_good import in_force
    from freehold.settings.valkey import shared_of

    try:
        settings = in_force(config, place.home).settings
        shared = shared_of(settings)
        if shared is None:
            return
        from freehold.gateway.shared.looking import look

        found = look(shared)
    except FreeholdError as error:
        yield Finding("fail", "valkey", error.message, error.hint)
        return
    where = f"version {found.version} at {urlsplit(shared.url).hostname}"
    if found.evicts:
        fix = "set its maxmemory-policy to noeviction; [valkey] cache_bytes bounds what is kept there"
        yield Finding("warn", "valkey", f"{where} drops what it likes when it is full ({found.evicts})", fix)
    else:
        yield Finding("ok", "valkey", where)


def _bodies(place: Place, config: str | None) -> Iterator[Finding]:
    """Whether bodies get to the object store, and whether it does all that is asked of it."""
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
        yield from _tried(store)
    except MissingSecret as error:
        yield Finding("warn", "bodies", f"{error.message}, here", error.hint)
    except FreeholdError as error:
        yield Finding("fail", "bodies", error.message, error.hint)
    found = standing(place.home)
    if found is None:
        return
    waits = f"{found.waiting} wait in the home, {found.bytes / 1e6:.1f} MB"
    if found.full:
        fix = "have the store answer again, or raise spool_mb in [bodies]"
        yield Finding("fail", "bodies", f"{waits}: the spool is full, and new ones are not kept", fix)
    elif found.error:
        yield Finding(
            "warn", "bodies", f"{waits}: {found.error}", "see that the store answers; nothing is lost meanwhile"
        )
    else:
        yield Finding("ok", "bodies", f"{found.url}; {waits}")
    if found.strange:
        fix = "look at those objects: the writer's log names them"
        yield Finding("fail", "bodies", f"{found.strange} names belong to something else in the store", fix)


def _tried(store: Objects) -> Iterator[Finding]:
    """Keep, read, keep again and delete one object of no content. Raises StoreAway."""
    name, data = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(16)
    try:
        if store.put(name, data) is not None or store.get(name) != data:
            yield Finding("fail", "bodies", f"{store.url} does not give back what it took", "use another store")
        if store.put(name, data[::-1]) != data:
            fix = "bring the store up to date: it must know `If-None-Match`"
            yield Finding("warn", "bodies", f"{store.url} lets an object be overwritten", fix)
    finally:
        store.delete(name)
    if store.get(name) is not None:
        yield Finding(
            "fail", "bodies", f"{store.url} does not delete: nothing could be erased", "allow it to delete objects"
        )


def _cluster(place: Place, config: str | None) -> Iterator[Finding]:
    """Whether Ray is there, where [jobs] wants it; nothing is joined."""
    from freehold.jobs.errors import NoCluster, NoRay
    from freehold.jobs.ray_pool import head_answers, installed
    from freehold.settings.last_good import in_force

    try:
        jobs = in_force(config, place.home).settings.jobs
    except FreeholdError:
        return  # told by `_config`
    if jobs.backend != "ray":
        return
    version = installed()
    if not version:
        yield Finding("fail", "jobs", "[jobs] wants Ray, and it is not installed", NoRay.hint_text)
    elif jobs.address and not head_answers(jobs.address):
        yield Finding("fail", "jobs", f"no Ray cluster answers at {jobs.address}", NoCluster.hint_text)
    else:
        where = f"the cluster at {jobs.address}" if jobs.address else "a cluster of this machine, while it is needed"
        yield Finding("ok", "jobs", f"Ray {version}, {where}")
