"""The engines there are, sorted by kind."""

from __future__ import annotations

from freehold.serving.engines import embedded, sglang, vllm
from freehold.serving.engines.types import Driver

DRIVERS: tuple[Driver, ...] = (embedded.DRIVER, sglang.DRIVER, vllm.DRIVER)


def driver(kind: str) -> Driver:
    """The driver of a kind. Raises KeyError for one there is not."""
    return {one.kind: one for one in DRIVERS}[kind]  # type: ignore[index]  # any text may be asked for
