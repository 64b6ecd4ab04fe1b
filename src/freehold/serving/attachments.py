"""Engines of `[engines]` as values: where each is, what it serves, which targets it gives. No process in sight.

`run/attached.json` holds the targets that calls may be led to, `run/engines.json` what people see of each engine.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from freehold.core.label import UNKNOWN, Label
from freehold.core.permit import Origin
from freehold.policy.targets import Target
from freehold.serving.engines.types import Address, Driver
from freehold.serving.wanted import SEEN, Seen

FILE = SEEN
TARGETS = "attached.json"
DIALECTS = ("openai_chat", "openai_completions")
LOCAL = "local"


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, with everything that is settled before it starts."""

    name: str
    driver: Driver
    address: Address
    credential: str
    """Reference to the secret in `address`, for the gateway."""
    model: str
    """Name in the store where we start it; else what it is known by there."""
    served: str
    """What it is asked by."""
    command: tuple[str, ...] = ()
    """Empty for an engine that runs already."""
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    secret_file: str = ""
    adapters: tuple[tuple[str, str], ...] = ()
    """Target and name in the store of those that the settings name."""
    adapters_allowed: bool = False
    adapters_at: str = ""
    """The folder of views as the engine sees it; empty where it sees ours."""
    region: str = LOCAL
    clearance: Label = UNKNOWN
    context_tokens: int = 0
    max_output_tokens: int = 4096
    most_in_flight: int = 0

    @property
    def target(self) -> str:
        """The name of the target that leads to the model itself."""
        return f"owned-{self.name}"


class Attribution(msgspec.Struct, frozen=True):
    """A target's name, what the engine is asked by there, and the SHA-256 of what is served, where it is known."""

    target: str
    model: str
    sha256: str = ""


def target_of(what: Attachment, one: Attribution) -> Target:
    """The row by which calls reach the engine's model, or one of its adapters."""
    at = what.address
    return Target(
        name=one.target,
        provider=what.name,
        driver="openai",
        dialects=DIALECTS,
        model=one.model,
        origin=Origin(at.scheme, at.host, at.port),
        path=at.path,
        credential=what.credential,
        owned=True,
        region=what.region,
        clearance=what.clearance,
        context_tokens=what.context_tokens,
        max_output_tokens=what.max_output_tokens,
        first_token_seconds=120.0,
        digest=one.sha256,
        most_in_flight=what.most_in_flight,
        tls_ca=at.tls_ca,
    )


def attached(run: Path) -> tuple[Target, ...]:
    """The targets that attached engines give now; empty where none is ready or no instance runs."""
    try:
        return msgspec.json.decode((run / TARGETS).read_bytes(), type=tuple[Target, ...])
    except FileNotFoundError:
        return ()


def forget(run: Path) -> None:
    """Of the last start: nothing of it is led to before it has answered again."""
    (run / TARGETS).unlink(missing_ok=True)


def seen(run: Path) -> tuple[Seen, ...]:
    """What is known of each attached engine, by name."""
    try:
        return msgspec.json.decode((run / FILE).read_bytes(), type=tuple[Seen, ...])
    except FileNotFoundError:
        return ()
