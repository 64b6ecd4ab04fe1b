"""A fake of vLLM's server: health, models, metrics, adapters at run time, chat; 404 for a model it does not serve.

From vLLM's published API. `python -m tests.fakes.engine_vllm` takes the arguments that vLLM is started with.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from pathlib import Path

from tests.fakes.fake_openai import FakeOpenAi, error_body
from tests.fakes.wire import Recorded, Streamed, Whole


class FakeVllm(FakeOpenAi):
    """The fake; `served` is its model. `busy` is what its metrics say beside the calls it really answers."""

    prefix = "vllm:num_requests_"
    gauges = ("running", "waiting")
    load_path = "/v1/load_lora_adapter"
    unload_path = "/v1/unload_lora_adapter"

    def __init__(self, served: str = "base", *, lora: bool = True, port: int = 0) -> None:
        super().__init__(port=port)
        self.served = served
        self.lora = lora
        self.adapters: dict[str, str] = {}
        self.unloaded_while_called: list[str] = []
        self.healthy = True
        self.busy = 0

    def refuses(self, request: Recorded) -> Whole | None:
        if request.path in ("/health", "/metrics"):
            return None
        return super().refuses(request)

    def answer(self, request: Recorded) -> Whole | Streamed:
        if request.path == "/health":
            return Whole(b"", 200 if self.healthy else 503)
        if request.path == "/metrics":
            return Whole(self._metrics().encode())
        if request.path == "/v1/models":
            names = [self.served, *self.adapters]
            return Whole(json.dumps({"object": "list", "data": [{"id": one} for one in names]}).encode())
        if request.path in (self.load_path, self.unload_path):
            return self._change(request) if self.lora else Whole(b'{"detail":"Not Found"}', 404)
        model = request.json.get("model", "")
        if request.path == "/v1/chat/completions" and not self._serves(model):
            return Whole(error_body(404, f"The model `{model}` does not exist."), 404)
        return super().answer(request)

    def calls(self, model: str) -> int:
        """How many calls named that model."""
        return sum(one.path == "/v1/chat/completions" and one.json.get("model") == model for one in self.requests)

    def _serves(self, model: str) -> bool:
        return model == self.served or model in self.adapters

    def _change(self, request: Recorded) -> Whole:
        name = request.json["lora_name"]
        if request.path == self.unload_path:
            if self._running(name):
                self.unloaded_while_called.append(name)
            found = self.adapters.pop(name, None)
            return Whole(b"removed" if found else error_body(404, "not found"), 200 if found else 404)
        folder = Path(request.json["lora_path"])
        if name in self.adapters:
            return Whole(error_body(400, f"The lora adapter '{name}' has already been loaded."), 400)
        if not (folder / "adapter_config.json").is_file() or not list(folder.glob("*.safetensors")):
            return Whole(error_body(404, f"No adapter found for '{folder}'"), 404)
        self.adapters[name] = str(folder)
        return Whole(b"Success: LoRA adapter added.")

    def _running(self, model: str = "") -> int:
        return sum(
            one.path == "/v1/chat/completions" and not one.done.is_set() and (not model or one.json["model"] == model)
            for one in self.requests
        )

    def _metrics(self) -> str:
        running, waiting = (self.prefix + one for one in self.gauges)
        count = self._running() + self.busy
        return f'# TYPE {running} gauge\n{running}{{model_name="m"}} {float(count)}\n{waiting}{{model_name="m"}} 0.0\n'


def serve(kind: type[FakeVllm], parser: argparse.ArgumentParser, model_option: str) -> None:
    """The fake as a process, until SIGTERM. It refuses to start without its weights."""
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(model_option, dest="weights", type=Path, required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--enable-lora", action="store_true")
    given, _ = parser.parse_known_args()
    assert given.host == "127.0.0.1"
    assert given.weights.exists(), given.weights
    file = getattr(given, "config", None)
    waited = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    with kind(given.served_model_name, lora=given.enable_lora, port=given.port) as engine:
        engine.key = json.loads(file.read_text())["api-key"] if file else os.environ["VLLM_API_KEY"]
        signal.sigwait(waited)


if __name__ == "__main__":
    serve(FakeVllm, argparse.ArgumentParser(), "--model")
