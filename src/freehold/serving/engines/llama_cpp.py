"""One engine process: llama.cpp's own HTTP server on loopback, with one model (or adapter and base) of the store.

Started as `python -m freehold.serving.engines.llama_cpp`. It names a model, never a path: what it opens has just
been checked against the signed manifest. It answers only to its secret and dies with its parent.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from freehold.core.crypto import Verifier
from freehold.core.errors import FreeholdError
from freehold.core.process import die_with_parent
from freehold.registry.artefacts import Store

_HTTP_SPARE = 4
"""HTTP threads beyond the slots, for health, counting and queued calls."""
KV = {"f16": "GGML_TYPE_F16", "q8_0": "GGML_TYPE_Q8_0"}
"""Types of the cache that lose nothing worth telling, by the engine's names for them."""


def parser() -> argparse.ArgumentParser:
    """The command line of an engine process."""
    made = argparse.ArgumentParser(prog="python -m freehold.serving.engines.llama_cpp", description=__doc__)
    made.add_argument("--store", type=Path, required=True, help="folder of the model store")
    made.add_argument("--public", required=True, help="public key the manifests are signed with, in hex")
    made.add_argument("--model", required=True, help="name of the model in the store")
    made.add_argument("--kind", choices=("adapter", "chat", "embedding", "prompt"), required=True)
    made.add_argument("--port", type=int, required=True)
    made.add_argument("--secret-file", type=Path, required=True, help="file with the key callers must show")
    made.add_argument("--threads", type=int, required=True)
    made.add_argument("--context", type=int, required=True, help="tokens over all slots")
    made.add_argument("--slots", type=int, required=True, help="calls answered at once")
    made.add_argument("--max-output", type=int, default=-1, help="tokens where the caller names no limit")
    made.add_argument("--batch", type=int, default=0, help="tokens of prompts read at once; 0 for the engine's own")
    made.add_argument("--kv", choices=sorted(KV), default="f16", help="type of the cache")
    return made


def params(options: argparse.Namespace, weights: Path, adapter: Path | None, secret: str) -> Any:
    """The server's settings: loopback only, a key, no pages, no network, bounded memory.

    The `adapter` is in every answer in full: it is at scale 1 where a request names no scale, as none of ours does.
    """
    import xllamacpp

    made = xllamacpp.CommonParams()
    made.model.path = str(weights)
    made.model_alias = {options.model}
    made.hostnames = ["127.0.0.1"]
    made.port = options.port
    made.api_keys = [secret]
    made.n_gpu_layers = 0
    made.n_ctx = options.context
    made.n_parallel = options.slots
    made.n_predict = options.max_output
    made.n_threads_http = options.slots + _HTTP_SPARE
    made.cpuparams.n_threads = options.threads
    made.cpuparams_batch.n_threads = options.threads
    made.fit_params = False  # would load the model twice to size it for a GPU
    made.kv_unified = False  # one pool for all slots fails every running call when a new one overfills it
    made.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
    made.offline = True
    made.ui = False
    made.cors_origins = ""
    made.endpoint_slots = True
    made.endpoint_metrics = True
    made.verbosity = 1  # errors; more would write prompts into the log
    made.cache_type_k = made.cache_type_v = getattr(xllamacpp.ggml_type, KV[options.kv])
    if options.batch:
        made.n_batch = made.n_ubatch = options.batch
    if adapter is not None:
        made.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        made.lora_init_without_apply = False
    if options.kind == "embedding":
        made.embedding = True
        made.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        made.n_batch = made.n_ubatch = options.context // options.slots  # a text is encoded in one piece
    return made


def opened(store: Store, model: str, kind: str) -> tuple[Path, Path | None]:
    """The file of the weights and, where `model` is an adapter, its own. Raises as the store does.

    Of a prompt only the base is the engine's: its examples are in the requests the gateway sends.
    """
    if kind not in ("adapter", "prompt"):
        return store.open_verified(model), None
    weights, own = store.open_with_base(model)
    return weights, own if kind == "adapter" else None


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end. Exit 1 with the reason where the model may not be loaded."""
    die_with_parent(signal.SIGKILL)
    # Set before the engine's library loads: waiting threads that spin starve everything else on a small machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    options = parser().parse_args(arguments)
    try:
        store = Store(options.store, Verifier(bytes.fromhex(options.public)))
        weights, adapter = opened(store, options.model, options.kind)
        secret = options.secret_file.read_text().strip()
    except FreeholdError as error:
        fix = f"remove the folder {options.store} and start anew: it is filled again from the weights"
        sys.stderr.write(f"{error} (fix: {error.hint if options.kind in ('adapter', 'prompt') else fix})\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not secret:
        sys.stderr.write("the secret of the engine is empty\n")
        return 1
    import xllamacpp

    waited = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        server = xllamacpp.Server(params(options, weights, adapter, secret))
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{options.model} cannot be loaded: {error}\n")
        return 1
    sys.stderr.write(f"serving {options.model} at {server.listening_address}\n")
    sys.stderr.flush()
    signal.sigwait(waited)
    os._exit(0)  # the server has no stop call; nothing of ours is left to flush


if __name__ == "__main__":
    sys.exit(main())
