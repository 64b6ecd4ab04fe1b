"""The tables [capture], [audit], [dock]: which bodies are kept, how long, where checkpoints go, where replicas come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from freehold.core.label import Level
from freehold.core.section import Count, Flag, Port, Seconds, Section

_REGIME = re.compile(r"[A-Z][A-Z0-9_]{0,31}\Z")
_LEVELS = tuple(one.name.lower() for one in Level)


def _class(value: str) -> str:
    if value not in _LEVELS and not _REGIME.match(value):
        levels = ", ".join(_LEVELS)
        raise PydanticCustomError("class", "is no class: name a level ({levels}) or a regime", {"levels": levels})
    return value


def _absolute(value: str) -> str:
    if not Path(value).is_absolute():
        raise PydanticCustomError("folder", "must be an absolute path: it lies outside of the instance")
    return value


Class = Annotated[str, AfterValidator(_class)]
"""A level or a regime of labels."""
OutsideFolder = Annotated[str, AfterValidator(_absolute)]


class CaptureSettings(Section):
    """Bodies of calls, sealed at rest."""

    bodies: Flag = Field(default=False, description="Keep request and response bodies on routes that say nothing.")
    retention_days: Count = Field(30, description="Days until a kept body is erased.")
    retention: dict[Class, Count] = Field(
        default_factory=dict,
        description="Days by class of the label, a level or a regime (`restricted = 7`, `HIPAA = 2190`); "
        "of several that match the shortest counts.",
    )


class AuditSettings(Section):
    """Where checkpoints of the audit log are published, out of reach of whoever could change the log."""

    checkpoints: tuple[OutsideFolder, ...] = Field(
        (), description="Folders that exist, outside of the home: a mount, a share, a disk of others."
    )
    every_seconds: Seconds = Field(60.0, description="How often the newest checkpoint is published.")

    def folders(self) -> tuple[Path, ...]:
        """The folders as paths."""
        return tuple(Path(one) for one in self.checkpoints)


class DockSettings(Section):
    """Where replicas reach this instance. Read when it starts."""

    enabled: Flag = Field(default=False, description="Let replicas join (`freehold replicas add`).")
    host: str = Field("127.0.0.1", description="Address to listen on, with TLS always.")
    port: Port = Field(8702, description="Port to listen on; 0 takes a free one.")
    address: str = Field(
        "", description="`HOST:PORT` by which replicas reach it, where that is not the address it listens on."
    )
