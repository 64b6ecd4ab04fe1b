"""Reads an instance's folder, running or not, into what a bundle holds."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import URL

from freehold import __version__
from freehold.assurance.support import configuration, logs, store
from freehold.assurance.support.types import About, Advice, Audit, Child, Contents, Model
from freehold.assurance.support.words import word
from freehold.core.clock import iso
from freehold.core.crypto import Identity
from freehold.core.db import connect, present, reading, size
from freehold.core.errors import FreeholdError
from freehold.core.process import read_processes
from freehold.registry.artefacts import Store
from freehold.serving.deployments import deployed

_DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Matches = Callable[[], tuple[Advice, ...]]
"""What advisories say of what is here."""


def gather(
    home: Path, settings: BaseModel | None, now: float, matches: Matches = tuple, url: URL | None = None
) -> Contents:
    """All a bundle tells of the instance in `home`; `settings` None where the configuration cannot be read.

    Raises NotFound where no instance has lived.
    """
    database_url = present(home, url)
    engine = connect(database_url)
    try:
        with reading(engine) as connection:
            database: dict[str, object] = {
                "revision": store.revision(connection),
                "bytes": size(engine),
                "tables": {one.name: one.rows for one in store.tables(connection)},
            }
            calls = tuple(store.traffic(connection, now))
            audit: Audit = store.audit(connection)
    finally:
        engine.dispose()
    events, defects = logs.counted(home / "logs")
    return Contents(
        about=_about(home, now),
        configuration={} if settings is None else configuration.told(settings),
        processes=_processes(home),
        logs=events,
        defects=defects,
        database=database,
        calls=calls,
        models=_models(home),
        audit=audit,
        errata=matches(),
    )


def _about(home: Path, now: float) -> About:
    here = platform.uname()
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return About(
        freehold=__version__,
        made_at=iso(now),
        python=platform.python_version(),
        system=f"{here.system} {here.release} {here.machine}",
        cores=os.cpu_count() or 0,
        memory_bytes=pages * size,
        disk_free_bytes=shutil.disk_usage(home).free,
        packages=_packages(),
    )


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in importlib.metadata.requires("freehold") or ():
        name = _DISTRIBUTION.match(line)
        if name is None:
            continue
        try:
            found[name.group()] = importlib.metadata.version(name.group())
        except importlib.metadata.PackageNotFoundError:
            found[name.group()] = ""
    return found


def _processes(home: Path) -> tuple[Child, ...]:
    told = read_processes(home / "run" / "processes.json")
    children = () if told is None else told.children
    return tuple(
        Child(name=word(one.name), phase=word(one.phase), restarts=one.restarts, last_exit=one.last_exit)
        for one in children
    )


def _models(home: Path) -> tuple[Model, ...]:
    try:
        manifests = Store(home / "store", Identity.load(home / "identity.key")).list()
        served = deployed(home / "run")
    except FreeholdError:
        return ()
    return tuple(
        Model(
            name=word(one.name),
            kind=one.kind,
            format=word(one.format),
            sha256=one.files[0].sha256,
            size=one.size,
            licence=word(one.licence),
            scan=getattr(getattr(one, "papers", None), "scan", ""),
            targets=tuple(word(each.name) for each in served if each.model == one.name),
        )
        for one in manifests
    )
