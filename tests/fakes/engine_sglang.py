"""A fake of SGLang's server, from its published API: other paths and gauges than vLLM, and it unloads after its calls.

`python -m tests.fakes.engine_sglang` takes the arguments that SGLang is started with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.fakes.engine_vllm import FakeVllm, serve
from tests.fakes.wire import Recorded, Whole


class FakeSglang(FakeVllm):
    """The fake. Its key is asked for on its own paths too."""

    prefix = "sglang:num_"
    gauges = ("running_reqs", "queue_reqs")
    load_path = "/load_lora_adapter"
    unload_path = "/unload_lora_adapter"

    def _change(self, request: Recorded) -> Whole:
        done = super()._change(request)
        if done.status == 200:
            return Whole(json.dumps({"success": True, "loaded_adapters": self.adapters}).encode())
        return Whole(json.dumps({"success": False, "error_message": done.body.decode()}).encode(), 400)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    serve(FakeSglang, parser, "--model-path")
