"""Which of the models of a log could be owned, and how large they are. Facts as rows; the rest is read off the name."""

from __future__ import annotations

import re

CLOSED = ("claude", "code-davinci", "gemini", "gpt-", "o1-", "reka-", "text-davinci", "yi-large")
"""Prefixes of models that are rented only: their weights are not published."""

SIZES: tuple[tuple[str, float, str], ...] = (
    ("command-r-plus", 104.0, "Cohere's model card of c4ai-command-r-plus, 2024-04"),
    ("command-r", 35.0, "Cohere's model card of c4ai-command-r-v01, 2024-03"),
    ("deepseek-chat", 236.0, "DeepSeek-V2 report, 2024-05"),
    ("deepseek-coder", 236.0, "DeepSeek-Coder-V2 report, 2024-06"),
    ("deepseek-v2", 236.0, "DeepSeek-V2 report, 2024-05"),
    ("firefunction-v2", 70.0, "Fireworks' model card of firefunction-v2, 2024-06"),
    ("functionary-medium-v3.1", 70.0, "MeetKai's model card of functionary-medium-v3.1, 2024-08"),
    ("functionary-small-v3.1", 8.0, "MeetKai's model card of functionary-small-v3.1, 2024-08"),
    ("mistral-large-2", 123.0, "Mistral's announcement of Mistral Large 2, 2024-07"),
    ("mistral-nemo", 12.0, "Mistral's announcement of Mistral NeMo, 2024-07"),
    ("phi-3.5-mini", 3.8, "Microsoft's model card of Phi-3.5-mini-instruct, 2024-08"),
)
"""Part of the name, parameters in billions, source. The first that fits counts."""

_NAMED = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)


def closed(name: str) -> bool:
    """True of a model whose weights cannot be had."""
    return name.casefold().startswith(CLOSED)


def billions(name: str) -> float | None:
    """Parameters in billions; 0 for small models trained here, None where nobody says."""
    lower = name.casefold()
    if lower.startswith("owned:"):
        return 0.0
    for part, size, _ in SIZES:
        if part in lower:
            return size
    found = _NAMED.findall(lower)
    if not found:
        return None
    experts, each = found[-1]
    return float(experts or 1) * float(each)
