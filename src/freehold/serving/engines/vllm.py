"""vLLM: adapters come and go at run time where its environment allows it, and are named in `model` like a model."""

from __future__ import annotations

from freehold.serving.engines.types import Driver, Launch, Started


def launch(one: Launch) -> Started:
    """The server on loopback alone; its key is in its environment, where other users of the machine cannot read it."""
    argv = [*one.command, "--host", "127.0.0.1", "--port", str(one.port)]
    argv += ["--model", one.weights, "--served-model-name", one.served]
    if one.context:
        argv += ["--max-model-len", str(one.context)]
    env = [("HF_HUB_OFFLINE", "1"), ("TRANSFORMERS_OFFLINE", "1"), ("VLLM_API_KEY", one.secret)]
    env += [("VLLM_NO_USAGE_STATS", "1"), ("VLLM_DO_NOT_TRACK", "1")]
    if one.adapters:
        argv += ["--enable-lora"]
        env += [("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "True")]
    return Started((*argv, *one.arguments), tuple(env))


DRIVER = Driver(
    kind="vllm",
    health="/health",
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    load="/v1/load_lora_adapter",
    unload="/v1/unload_lora_adapter",
    launch=launch,
    source="https://docs.vllm.ai/en/stable/features/lora/",
    as_of="2026-11-22",
)
