"""What may be asked of the recipe `lora`."""

from __future__ import annotations

from typing import Literal

import msgspec

from freehold.moves.training.errors import BadOption


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand in a job's options."""

    rank: int = 8
    alpha: float = 16.0
    rate: float = 1e-3
    """Highest learning rate; it rises over the first 6 % of the steps and falls in a line to a fiftieth."""
    batch: int = 16
    epochs: float = 2.0
    steps: int = 0
    """More than 0 takes the place of `epochs`."""
    most_tokens: int = 2048
    """Longer lessons are left out, and counted."""
    tokens_at_once: int = 1024
    """A batch with more is run in parts: memory grows by about two megabytes a token. The result is the same step."""
    held_out: int = 48
    """Of the latest lessons, at most a tenth: they measure the loss before and after, and are not trained on."""
    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_seconds: float = 30.0


def options_of(raw: dict[str, object]) -> Options:
    """Read a job's options. Raises BadOption."""
    try:
        found = msgspec.convert(raw, Options)
    except msgspec.ValidationError as error:
        raise BadOption(f"the adapter's options: {error}") from None
    counts = (found.rank, found.batch, found.threads, found.most_tokens, found.tokens_at_once)
    if min(counts) < 1 or found.alpha <= 0 or found.rate <= 0 or (found.epochs <= 0 and found.steps < 1):
        raise BadOption("the adapter's options: ranks, rates, counts and lengths are positive")
    return found
