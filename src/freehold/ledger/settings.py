"""The table [capture]: whether bodies are kept, and for how long."""

from __future__ import annotations

from pydantic import Field

from freehold.core.section import Count, Flag, Section


class CaptureSettings(Section):
    """Bodies of calls, sealed at rest."""

    bodies: Flag = Field(default=False, description="Keep request and response bodies on routes that say nothing.")
    retention_days: Count = Field(30, description="Days until a kept body is erased.")
