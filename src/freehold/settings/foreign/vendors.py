"""What other gateways call a provider, and which of our rows that is."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from freehold.gateway.providers.vendors import vendor

_SAME = {
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "google": "gemini",
    "mistral-ai": "mistral",
    "nvidia_nim": "nvidia",
    "perplexity-ai": "perplexity",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "together-ai": "together",
}
"""Spellings of others for rows of ours."""

OWN_SERVERS = frozenset(
    {"custom_openai", "hosted_vllm", "llamafile", "lm_studio", "ollama", "ollama_chat", "openai_like", "sgl", "vllm"}
)
"""Servers that speak OpenAI's dialect at an address of the owner's."""


OWNED_NOTE = "if it runs on machines of your own, say so: owned = true; nothing restricted goes there before"


def known(name: str) -> str:
    """The row of that provider; empty where there is none, or its address is the owner's to say."""
    lowered = name.lower()
    ours = _SAME.get(lowered, lowered)
    row = vendor(ours)
    return ours if row is not None and row.base_url.startswith("https://") else ""


def elsewhere(row: str, base: Any) -> str:
    """The host of an address that is not that vendor's; empty where it is, or none is given."""
    if not isinstance(base, str):
        return ""
    try:
        host = urlsplit(base).hostname or ""
    except ValueError:
        return ""
    known_row = vendor(row)
    own = urlsplit(known_row.base_url).hostname if known_row else None
    return "" if own and host.split(".")[-2:] == own.split(".")[-2:] else host


def identifier(text: str) -> str:
    """The text as a name that tables may have."""
    name = re.sub(r"[^A-Za-z0-9._:/-]+", "-", text).strip("-._:/")
    return name[:120] or "unnamed"


def variable(text: str) -> str:
    """The text as the name of an environment variable."""
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_") or "PROVIDER"
