"""The table [serving]: the engines this machine runs for its owned models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from freehold.core.section import Count, Flag, Section
from freehold.gateway.settings import PriceSettings


class ServingSettings(Section):
    """Owned models on this machine."""

    enabled: Flag = Field(default=True, description="Run the embedded owned models.")
    threads: Annotated[int, Field(strict=True, ge=0)] = Field(0, description="Threads of an engine; 0 takes all cores.")
    context_tokens: Count = Field(16384, description="Context window of the embedded chat model, over all its slots.")
    slots: Count = Field(4, description="Calls the embedded chat model answers at once.")
    weights: str = Field(
        "",
        description="Folder of the embedded models' weights, relative to the file's own; where empty, where "
        "`freehold models fetch` leaves them.",
    )
    prices: dict[Literal["owned-chat", "owned-embed"], PriceSettings] = Field(
        default_factory=dict,
        description="What the embedded models cost you, by target: `[serving.prices.owned-chat]`, "
        "`[serving.prices.owned-embed]`.",
    )
    trained_price: PriceSettings | None = Field(
        default=None, description="What a model trained here costs you to serve; nothing, where nobody says."
    )
