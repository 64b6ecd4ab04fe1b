"""Is the instance well? `/health` for probes, without a token; `/api/status` for people."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from freehold import __version__
from freehold.server.actors import Allowed, Served

router = APIRouter(tags=["status"])

READ = [Depends(Allowed("status:read"))]


class Status(BaseModel):
    """The instance at a glance."""

    version: str
    home: str
    identity: str
    gateway: str
    versions: dict[str, int]
    problems: int


@router.get("/health")
def health() -> dict[str, str]:
    """Answers while the process lives."""
    return {"status": "ok"}


@router.get("/api/status", dependencies=READ)
def status(instance: Served) -> Status:
    """The instance at a glance."""
    gateway = instance.settings.gateway
    scheme = "https" if gateway.tls_certificate else "http"
    return Status(
        version=__version__,
        home=str(instance.home),
        identity=instance.identity.key_id,
        gateway=f"{scheme}://{gateway.host}:{gateway.port}",
        versions=instance.versions,
        problems=len(instance.problems.problems) if instance.problems else 0,
    )
