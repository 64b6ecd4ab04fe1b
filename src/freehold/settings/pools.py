"""Which pool heavy work goes to, by the settings. What a log says before its secrets are out stays on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from freehold.jobs.local_pool import LocalPool
from freehold.settings.environment import enclose_ray, silence_ray

if TYPE_CHECKING:
    from freehold.jobs.pool import Pool
    from freehold.jobs.ray_pool import RayPool
    from freehold.jobs.settings import JobsSettings

BEHIND = 10
"""Niceness of what a running instance does in the background: its gateway goes first."""


@contextmanager
def pool_here(settings: JobsSettings, niceness: int = 0) -> Iterator[Pool]:
    """Processes of this machine, whatever the backend: for logs as they come, which may hold keys."""
    pool = LocalPool(settings.processes or cores(), niceness=niceness)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def pool_anywhere(settings: JobsSettings, niceness: int = 0) -> Iterator[Pool]:
    """What the settings name, for work that is numbers alone: no content of calls goes to a cluster."""
    if settings.backend == "local":
        with pool_here(settings, niceness) as here:
            yield here
        return
    pool = ray_pool(settings)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def pool_for_content(settings: JobsSettings, niceness: int = 0) -> Iterator[Pool]:
    """The cluster where the settings let contents of calls go there; else processes of this machine."""
    with (pool_anywhere if settings.content else pool_here)(settings, niceness) as pool:
        yield pool


@contextmanager
def pool_for_training(settings: JobsSettings, niceness: int = 0) -> Iterator[tuple[Pool, bool]]:
    """Where recipes train, and whether jobs are sent there: a chunk takes minutes, so this process does none itself."""
    if settings.content:
        with pool_for_content(settings, niceness) as cluster:
            yield cluster, True
        return
    pool = LocalPool(settings.processes or cores(), patience=None, niceness=niceness)
    try:
        yield pool, False
    finally:
        pool.close()


def ray_pool(settings: JobsSettings) -> RayPool:
    """The cluster of the settings, not joined yet; one of this machine's own takes nobody else's work."""
    from freehold.jobs.ray_pool import RayPool

    silence_ray()
    if not settings.address:
        enclose_ray()
    return RayPool(settings.address, settings.processes)


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
