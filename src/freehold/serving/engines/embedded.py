"""The embedded llama.cpp, asked in the words of the other engines. It takes adapters at its start only.

A new adapter there is a second child beside the first (`serving/fleet.py`), which takes over once it answers.
"""

from __future__ import annotations

from freehold.serving.engines.types import Driver

DRIVER = Driver(
    kind="embedded",
    health="/health",
    running="llamacpp:requests_processing",
    waiting="llamacpp:requests_deferred",
    source="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
    as_of="2026-11-22",
)
