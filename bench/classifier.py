"""`python -m bench.classifier [--seconds 4] [--log FILE]`: calls a second of the classifier's engine on one core.

Engine on core 0, load on core 1, both over loopback HTTP, whole calls. The model has the size of a trained one (77
labels, up to 40,000 n-grams); its numbers are random, which costs the same. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.kept import keep
from bench.pinning import GATEWAY_CORE, LOAD_CORE, cpu_seconds, pin_self
from freehold.core.crypto import Identity
from freehold.registry.artefacts import Store
from freehold.registry.trained import Product, admit_trained
from freehold.serving.answer_shape import Shape
from freehold.serving.deployments import Deployment, command, healthy, place, secret_of
from freehold.serving.linear import Description, Head, save, text_of
from freehold.serving.ngrams import Reading, ngrams

LOG = Path(__file__).resolve().parents[2] / "shared" / "data" / "workflows" / "traffic.jsonl.gz"
LABELS = 77
MOST_NGRAMS = 40_000
BODIES = 2_000
CONNECTIONS = 32


def bodies(log: Path) -> tuple[str, list[bytes]]:
    """What is asked, and where it is from: the log's short classifications, or made-up questions of their length."""
    if not log.exists():
        random = np.random.default_rng(1)
        words = [f"word{number}" for number in range(4000)]
        texts = [" ".join(random.choice(words, 12)) for _ in range(BODIES)]
        requests = [{"model": "m", "max_tokens": 16, "messages": [{"role": "user", "content": one}]} for one in texts]
        return "made up", [json.dumps(one).encode() for one in requests]
    found: list[bytes] = []
    with gzip.open(log) as file:
        for line in file:
            request = json.loads(line)["request"]
            if request.get("max_tokens") == 16:
                found.append(json.dumps(request).encode())
                if len(found) == BODIES:
                    break
    return log.name, found


def admitted(store: Store, folder: Path, asked: list[bytes]) -> Any:
    reading = Reading()
    hashes = np.unique(np.concatenate([ngrams(text_of(one), reading)[0] for one in asked]))[:MOST_NGRAMS]
    random = np.random.default_rng(1)
    tensors = {
        "hashes": hashes,
        "idf": np.ones(len(hashes), np.float32),
        "weights.0": random.normal(size=(len(hashes), LABELS)).astype(np.float32),
        "bias.0": np.zeros(LABELS, np.float32),
    }
    head = Head(tuple(f"label_{number}" for number in range(LABELS)))
    save(
        folder / "linear.safetensors", Description(reading=reading, heads=(head,), shapes=(Shape(text=(0,)),)), tensors
    )
    files = (folder / "linear.safetensors",)
    product = Product(
        name="bench", kind="classifier", format="safetensors", files=files, recipe="bench", dataset_sha256="0" * 64
    )
    return admit_trained(store, product, time.time()), len(hashes)


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, requests: list[bytes], start: int) -> None:
        self.requests = requests
        self.next = start
        self.done = 0
        self.times: list[float] = []
        self.bad = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask first."""
        self.transport: Any = transport
        self.ask()

    def ask(self) -> None:
        """The next of the requests, all of which every caller goes through."""
        self.buffer = b""
        self.began = time.perf_counter()
        self.transport.write(self.requests[self.next % len(self.requests)])
        self.next += 1

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer, count it, and ask again."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.rpartition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self.times.append(time.perf_counter() - self.began)
        self.done += 1
        self.bad += not head.startswith(b"HTTP/1.1 200")
        self.ask()


async def load(port: int, requests: list[bytes], seconds: float, pid: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda at=at: Caller(requests, at * 61), "127.0.0.1", port)
            for at in range(CONNECTIONS)]  # fmt: skip
    callers = [one for _, one in made]
    await asyncio.sleep(0.5)
    for one in callers:
        one.done, one.times = 0, []
    before, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    wall, cpu = time.perf_counter() - began, cpu_seconds(pid) - before
    done, times = sum(one.done for one in callers), sorted(one for each in callers for one in each.times)
    for transport, _ in made:
        transport.close()
    return {
        "calls_per_second": round(done / wall),
        "calls_per_cpu_second": round(done / cpu),
        "p50_ms": round(times[len(times) // 2] * 1e3, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 2),
        "bad": sum(one.bad for one in callers),
        "engine_busy_percent": round(cpu / wall * 100),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.classifier", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--log", type=Path, default=LOG)
    options = parser.parse_args()
    pin_self(LOAD_CORE, first=True)
    source, asked = bodies(options.log)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = Store(folder / "store", Identity.load(folder / "identity.key"))
        manifest, size = admitted(store, folder, asked)
        shape = Deployment(
            name="owned-bench", kind="classifier", model="", port=0, secret_path="", threads=1, context=0, slots=1
        )
        one = place(folder / "run", manifest, shape)
        spec = command(one, store.root, store.verifier, folder / "log")
        with (folder / "log").open("wb") as log:
            argv = ["taskset", "-c", str(GATEWAY_CORE), *spec.argv]
            process = subprocess.Popen(
                argv, env={"PATH": "/usr/bin:/bin", **dict(spec.env or ())}, stdout=log, stderr=log
            )
        try:
            while not asyncio.run(healthy(one.port)):
                if process.poll() is not None:
                    sys.stderr.write((folder / "log").read_text())
                    return 1
                time.sleep(0.05)
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {secret_of(one)}\r\n"
            )
            requests = [f"{head}content-length: {len(body)}\r\n\r\n".encode() + body for body in asked]
            found = asyncio.run(load(one.port, requests, options.seconds, process.pid))
        finally:
            process.kill()
            process.wait()
    about = {
        "bench": "classifier", "labels": LABELS, "ngrams": size, "body_bytes": sum(map(len, asked)) // len(asked),
        "source": source, "connections": CONNECTIONS,
    }  # fmt: skip
    keep("classifier", {**about, **found})
    print(json.dumps({**about, **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
