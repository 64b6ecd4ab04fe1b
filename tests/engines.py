"""The real engines with the real weights, one of each kind for the whole test run; started when first asked for."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from freehold.core.crypto import Identity
from freehold.policy.targets import Target
from freehold.registry.artefacts import Store
from freehold.serving.catalogue import admit
from freehold.serving.deployments import Deployment, command, deploy, targets
from freehold.serving.fetch import ready

CACHE = Path(os.environ.get("FREEHOLD_MODELS", Path(__file__).parents[1] / ".cache" / "models"))

DEFAULT_OUTPUT = 48
"""Tokens the engines here answer where a call names no limit, so that no test waits long."""


@dataclass
class Engine:
    """One running engine and how to call it."""

    deployment: Deployment
    target: Target
    secret: str
    process: subprocess.Popen

    def post(self, path: str, body: Any, secret: str | None = None) -> tuple[int, bytes]:
        """A call's status and body; a GET where `body` is None."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {secret or self.secret}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.deployment.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=100) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder set-up leaves the models in."""
    if not ready(CACHE):
        pytest.skip(f"no weights in {CACHE}: run `make setup`")
    return CACHE


@pytest.fixture(scope="session")
def engines(weights, tmp_path_factory) -> Iterator[dict[str, Engine]]:
    """The chat and the embedding engine, by the names of their targets."""
    home = tmp_path_factory.mktemp("engines")
    identity = Identity.load(home / "identity.key")
    store = Store(home / "store", identity)
    made = deploy(home / "run", admit(weights, store, time.time), threads=2, context=8192, slots=2)
    deployments = tuple(msgspec.structs.replace(one, max_output=DEFAULT_OUTPUT) for one in made)
    found: dict[str, Engine] = {}
    try:
        for one, target in zip(deployments, targets(deployments), strict=True):
            spec = command(one, store.root, identity, home / f"{one.name}.log")
            with spec.log.open("wb") as log:
                process = subprocess.Popen(spec.argv, env=dict(spec.env), stdout=log, stderr=log)
            found[one.name] = Engine(one, target, Path(one.secret_path).read_text(), process)
        for engine in found.values():
            _wait(engine, home)
        yield found
    finally:
        for engine in found.values():
            engine.process.kill()
            engine.process.wait()


@pytest.fixture(scope="session")
def chat_engine(engines) -> Engine:
    return engines["owned-chat"]


@pytest.fixture(scope="session")
def embed_engine(engines) -> Engine:
    return engines["owned-embed"]


def _wait(engine: Engine, home: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert engine.process.poll() is None, (home / f"{engine.deployment.name}.log").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{engine.deployment.port}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"{engine.deployment.name} is not ready after four minutes")
