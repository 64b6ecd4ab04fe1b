"""The table [serving]: the engines this machine runs for its owned models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from freehold.core.section import Count, Flag, Section


class ServingSettings(Section):
    """Owned models on this machine."""

    enabled: Flag = Field(default=True, description="Run the embedded owned models.")
    threads: Annotated[int, Field(strict=True, ge=0)] = Field(0, description="Threads of an engine; 0 takes all cores.")
    context_tokens: Count = Field(16384, description="Context window of the embedded chat model, over all its slots.")
    slots: Count = Field(4, description="Calls the embedded chat model answers at once.")
    weights: str = Field(
        ".cache/models", description="Folder where set-up left the embedded models; relative to the file's own folder."
    )
