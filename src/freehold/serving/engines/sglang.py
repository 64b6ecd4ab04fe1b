"""SGLang: adapters come and go at run time; metrics only where it was started with them."""

from __future__ import annotations

from freehold.serving.engines.types import Driver, Launch, Started

_RANK = "64"
"""Room for adapters up to this rank: with none given at the start it cannot find out by itself."""


def launch(one: Launch) -> Started:
    """The server on loopback alone; its key is in a file of ours, since a command line can be read by others."""
    argv = [*one.command, "--config", one.secret_file, "--host", "127.0.0.1", "--port", str(one.port)]
    argv += ["--model-path", one.weights, "--served-model-name", one.served, "--enable-metrics"]
    if one.context:
        argv += ["--context-length", str(one.context)]
    if one.adapters:
        argv += ["--enable-lora", "--max-lora-rank", _RANK, "--lora-target-modules", "all"]
    env = (("HF_HUB_OFFLINE", "1"), ("TRANSFORMERS_OFFLINE", "1"))
    return Started((*argv, *one.arguments), env)


DRIVER = Driver(
    kind="sglang",
    health="/health",
    running="sglang:num_running_reqs",
    waiting="sglang:num_queue_reqs",
    load="/load_lora_adapter",
    unload="/unload_lora_adapter",
    ends_calls_first=True,
    launch=launch,
    source="https://docs.sglang.io/advanced_features/lora.html",
    as_of="2026-11-22",
)
