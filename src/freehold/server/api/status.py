"""Is the instance well? `/health` for probes, without a token; `/api/status` for people."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from freehold import __version__
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.settings.location import read_endpoints
from freehold.telemetry import store

router = APIRouter(tags=["status"])

READ = [Depends(Allowed("status:read"))]


class Status(BaseModel):
    """The instance at a glance."""

    version: str
    home: str
    file: str
    """The configuration file it goes by; empty for the defaults."""
    identity: str
    gateway: str
    versions: dict[str, int]
    problems: int
    """Of a newer freehold.toml that was refused."""
    restart_needed: tuple[str, ...]
    """Tables changed since the start that are read at the start only."""
    collector: str
    """Why the collector of [telemetry] is not told of calls now; empty where it is, or where there is none."""


@router.get("/health")
def health() -> dict[str, str]:
    """Answers while the process lives."""
    return {"status": "ok"}


@router.get("/api/status", dependencies=READ)
def status(instance: Served) -> Status:
    """The instance at a glance."""
    endpoints = read_endpoints(instance.home)
    return Status(
        version=__version__,
        home=str(instance.home),
        file=str(instance.loaded.file or ""),
        identity=instance.identity.key_id,
        gateway=endpoints.gateway if endpoints else "",
        versions=instance.versions,
        problems=len(instance.problems.problems) if instance.problems else 0,
        restart_needed=instance.restart_needed,
        collector=_collector(instance),
    )


def _collector(instance: Instance) -> str:
    endpoint = instance.settings.telemetry.otlp
    if not endpoint:
        return ""
    with instance.reading() as connection:
        found = store.standing(connection, endpoint)
    return found.error if found else ""
