"""The table [jobs]: on how many processes heavy work is done, and on which machines."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from freehold.core.section import Section

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}\Z")
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?\Z")


class JobsSettings(Section):
    """Where heavy work is done: results are the same everywhere."""

    backend: Literal["local", "ray"] = Field(
        "local", description="`local`: processes of this machine; `ray`: nodes of a Ray cluster (extra `ray`)."
    )
    address: str = Field(
        "", description="`HOST:PORT` of the cluster's head, this machine being a node of it; empty for one of its own."
    )
    processes: Annotated[int, Field(strict=True, ge=0, le=4096)] = Field(
        0, description="Chunks worked on at once; 0 for one for each processor, 1 for no process of its own."
    )

    asking: Annotated[int, Field(strict=True, ge=1, le=256)] = Field(
        8, description="Calls that an evaluation has under way at once: here, or on each processor of the cluster."
    )
    content: bool = Field(
        False,
        description="Contents of calls may go to the nodes of the cluster: evaluations ask from there, with a pass, "
        "and adapters are trained there. Without it they stay on this machine.",
    )
    gateway: str = Field(
        "", description="Where nodes ask for models, `https://HOST:PORT`: the gateway, or what stands before replicas."
    )

    @field_validator("gateway")
    @classmethod
    def _base(cls, gateway: str) -> str:
        if gateway and not _URL.match(gateway):
            raise PydanticCustomError("gateway", "must read http://HOST:PORT or https://HOST:PORT, without a path")
        return gateway

    @field_validator("address")
    @classmethod
    def _plain(cls, address: str) -> str:
        if address and not _ADDRESS.match(address):
            raise PydanticCustomError("address", "must read HOST:PORT, as `ray start --head` says it")
        return address

    @model_validator(mode="after")
    def _for_ray(self) -> Self:
        if self.address and self.backend != "ray":
            raise PydanticCustomError("address", 'address is of a Ray cluster: backend must be "ray"')
        if (self.content or self.gateway) and self.backend != "ray":
            raise PydanticCustomError("content", 'content and gateway are of a Ray cluster: backend must be "ray"')
        if self.content and self.address and not self.gateway:
            raise PydanticCustomError("gateway", "gateway must say where the cluster's nodes ask: the models' door")
        return self
