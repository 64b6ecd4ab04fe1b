"""The table [serving]: the engines this machine runs for its owned models."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from freehold.core.section import Count, Flag, Name, OptionalLabel, Secret, Section
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


class EngineSettings(Section):
    """An engine of your own beside the embedded ones: started here by `command`, or asked at `url`.

    Its model is the target `owned-NAME`.
    """

    kind: Literal["sglang", "vllm"] = Field(description="Which engine it is.")
    url: str = Field("", description="Address of one that runs already, such as `https://gpu-1:8000/v1`.")
    command: tuple[str, ...] = Field(
        (),
        description="Program and first arguments of one to start here, such as "
        '`["/opt/vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server"]`. Model, port and key are put behind.',
    )
    arguments: tuple[str, ...] = Field((), description="Arguments put behind those; with `command` only.")
    environment: dict[str, str] = Field(default_factory=dict, description="Of its process; with `command` only.")
    model: str = Field(description="With `command` a model of the store; with `url` the name it is known by there.")
    api_key: Secret = Field("", description="Reference to its key; with `url` only, a started one gets its own.")
    tls_ca: str = Field("", description="PEM file of the authorities its certificate is checked against.")
    adapters: dict[Name, str] = Field(
        default_factory=dict, description="Adapters to load: target (`owned-...`) and name in the store."
    )
    hot_load: Flag = Field(default=True, description="Start it so that adapters may come and go while it serves.")
    adapters_at: str = Field(
        "", description="Where the engine sees the folder `run/views` of this instance, if it is on another machine."
    )
    region: str = Field("local", description="Where it runs.")
    clearance: OptionalLabel = Field("", description="The most sensitive label it may take; every one, where empty.")
    context_tokens: Annotated[int, Field(strict=True, ge=0)] = Field(0, description="Tokens of one call; 0 if unknown.")
    max_output_tokens: Count = Field(4096, description="Reserved for where a caller names no limit.")
    most_in_flight: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="Calls it is sent at once, by each gateway process; 0 for no limit."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.url) == bool(self.command):
            raise PydanticCustomError("engine_place", "needs either url or command")
        if self.url and (self.arguments or self.environment):
            raise PydanticCustomError("engine_place", "takes arguments and environment with command only")
        if self.command and self.api_key:
            raise PydanticCustomError("engine_place", "takes api_key with url only: one started here gets its own")
        return self
