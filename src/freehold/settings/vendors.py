"""The vendors a [providers] table may name, until `gateway/providers` lists them itself."""

from __future__ import annotations

import msgspec


class Vendor(msgspec.Struct, frozen=True):
    """What is known of a vendor's API."""

    name: str
    base_url: str
    driver: str
    dialects: tuple[str, ...]


_ROWS = (
    Vendor("anthropic", "https://api.anthropic.com/v1", "anthropic", ("anthropic_messages",)),
    Vendor("openai", "https://api.openai.com/v1", "openai", ("openai_chat", "openai_embeddings")),
)


def vendor(name: str) -> Vendor | None:
    """The row of a vendor, None where there is none."""
    return next((one for one in _ROWS if one.name == name), None)


def vendor_names() -> tuple[str, ...]:
    """Every vendor known by name."""
    return tuple(one.name for one in _ROWS)
