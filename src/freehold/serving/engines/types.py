"""What every engine is asked in the same words, and how the words of one differ: a driver is data, with no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

EngineKind = Literal["embedded", "sglang", "vllm"]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an engine listens. `path` is its API's base path, such as `/v1`; `secret` is never shown."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = "/v1"
    secret: str = ""
    tls_ca: str = ""

    def __repr__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine that we start is started with."""

    command: tuple[str, ...]
    """The program and its own first arguments."""
    arguments: tuple[str, ...] = ()
    """A person's, after ours: where an option is given twice, theirs holds."""
    weights: str
    """Folder or file that the weights lie in."""
    served: str
    """What callers name the model."""
    port: int
    context: int = 0
    """Tokens of one call; 0 leaves it to the model."""
    adapters: bool = False
    secret: str = ""
    secret_file: str = ""
    """JSON, which is YAML, with the secret as `api-key`: for an engine that takes none from its environment."""


class Started(msgspec.Struct, frozen=True):
    """A command line, and what its environment has beyond the bare one. No secret stands in the command line."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]


class Load(msgspec.Struct, frozen=True):
    """How busy an engine says it is: calls it answers, and calls that wait there."""

    running: float
    waiting: float


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of engine is spoken to beside callers' calls. Paths are from the server's root."""

    kind: EngineKind
    health: str
    running: str
    """Gauge of calls being answered, as its metrics name it."""
    waiting: str
    load: str = ""
    """Path that loads an adapter while the engine serves; empty where it cannot."""
    unload: str = ""
    ends_calls_first: bool = False
    """Whether unloading waits, in the engine, for the calls that use the adapter."""
    launch: Callable[[Launch], Started] | None = None
    """None where we start it in another way."""
    source: str = ""
    as_of: str = ""
