"""Targets: one model at one provider in one region, with its price, terms and clearance."""

from __future__ import annotations

import msgspec

from freehold.core.label import Label
from freehold.core.permit import Origin
from freehold.ledger.meter import FREE, Price


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a call may go. `dialects` are what the provider speaks at this target, best first."""

    name: str
    provider: str
    """Name of the provider as configured."""
    driver: str
    """Which file of `gateway/providers` speaks to it: `openai`, `anthropic`, `llama_cpp`."""
    dialects: tuple[str, ...]
    model: str
    """What the provider calls the model."""
    origin: Origin
    path: str = "/v1"
    """Base path before the dialect's own (`/chat/completions`)."""
    query: str = ""
    """What stands behind every path, with its question mark; empty for nothing."""
    credential: str = ""
    """Reference to the secret (`${env:NAME}`, `${file:PATH}`), never the secret."""
    headers: tuple[tuple[str, str], ...] = ()
    owned: bool = False
    offering: str = ""
    """What is called, as `vendors.Fact` names parties (`openai-api`); empty where nobody said."""
    region: str = "unknown"
    clearance: Label
    """The most sensitive label this target may take."""
    price: Price = FREE
    context_tokens: int = 0
    """0 where unknown."""
    max_output_tokens: int = 4096
    """Assumed for the reservation where the caller names no maximum."""
    connect_seconds: float = 5.0
    first_token_seconds: float = 60.0
    """Longest silence before the answer begins."""
    idle_seconds: float = 60.0
    """Longest silence once it has begun."""
    whole_seconds: float = 600.0
    """Longest wait for an answer that is not streamed."""
    quirks: tuple[str, ...] = ()
    """Facts about this model's server that its driver acts on, e.g. `no_tools`."""
    examples: str = ""
    """Put before what is asked: JSON of `gateway/few_shot.py`. Only for owned chat models."""
    digest: str = ""
    """SHA-256 of an owned model's artefact, in hex: what a receipt says served the call."""
    prompt_cache: str = ""
    """`5m` or `1h`: breakpoints are set for so long in translated requests whose caller set none; empty for none."""
    most_in_flight: int = 0
    """Calls it is sent at once, by each gateway process; more wait. 0 for no limit."""
    most_waiting: int = 100
    """Calls that may wait for it, in each gateway process."""
    batches: str = ""
    """How its vendor takes batches, where they may be passed to it: a name of `gateway/vendor_batches.py`."""
    batch_price: Price | None = None
    """What a line of a passed batch costs."""
    tls_ca: str = ""
    """Path of a CA bundle for a private certificate; empty means the system's."""
