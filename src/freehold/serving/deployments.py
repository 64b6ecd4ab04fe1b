"""Deployments: which model runs in which engine process, on which loopback port, with which secret.

Ports and secrets are chosen once per start of the instance and survive an engine's restarts, so the targets made
of them stay true.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import msgspec

from freehold.core.crypto import Verifier, write_private
from freehold.core.label import UNKNOWN
from freehold.core.permit import Origin
from freehold.core.ports import free_port
from freehold.core.process import Command
from freehold.core.restart import Rules
from freehold.policy.targets import Target
from freehold.registry.artefacts import Kind, Manifest
from freehold.serving.loopback import LOOPBACK, ask

PROVIDER = "embedded"
CHAT, EMBED = "owned-chat", "owned-embed"
FILE = "deployments.json"
SECRETS = "secrets"
"""In the folder `run`: what runs, and the secrets of engines beside the embedded ones."""
_DIALECTS: dict[Kind, tuple[str, ...]] = {
    "adapter": ("openai_chat", "openai_completions", "anthropic_count_tokens"),
    "chat": ("openai_chat", "openai_completions", "anthropic_count_tokens"),
    "classifier": ("openai_chat",),
    "embedding": ("openai_embeddings",),
    "prompt": ("openai_chat", "anthropic_count_tokens"),
}
_MODULES: dict[Kind, str] = {"classifier": "freehold.serving.engines.classifier"}
"""Engines other than llama.cpp."""
_CLASSIFIER_OUTPUT = 256
"""Tokens that no classifier's answer exceeds: what a call to it is reserved at."""
_EMBEDDING_CONTEXT = 512
"""What the embedded encoder sees at once."""
_PROBE_SECONDS = 2.0


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One engine process. `context` is in tokens over all `slots`."""

    name: str
    kind: Kind
    model: str
    """Name in the store."""
    port: int
    secret_path: str
    threads: int
    context: int
    slots: int
    max_output: int = 1024
    """Output tokens where the caller names no limit: small models may never stop by themselves."""
    batch: int = 0
    kv: str = ""
    """Tokens of prompts read at once, and the type of the cache, where they are not the engine's own."""
    examples: str = ""
    """Of a prompt: its artefact, which the gateway puts before what is asked."""
    sha256: str = ""
    """Of the artefact that is served, in hex: of an adapter the adapter."""
    child: str = ""
    """Its process's name; empty for `engine-<name>`."""

    @property
    def process(self) -> str:
        """What the supervisor calls its process."""
        return self.child or f"engine-{self.name}"

    @property
    def context_per_call(self) -> int:
        """Tokens one call may use: the engine divides its context by its slots."""
        return self.context // self.slots


def deploy(run: Path, models: tuple[Manifest, ...], threads: int, context: int, slots: int) -> tuple[Deployment, ...]:
    """Deployments of the embedded models, with free ports and fresh secrets, written down in the folder `run`.

    `threads` 0 takes all cores; `context` (tokens over all slots) and `slots` are the chat engine's.
    """
    cores = os.cpu_count() or 1
    found = []
    for model in models:
        chat = model.kind == "chat"
        name = CHAT if chat else EMBED
        secret = run / f"{name}.secret"
        write_private(secret, secrets.token_hex(32).encode())
        found.append(
            Deployment(
                name=name,
                kind=model.kind,
                model=model.name,
                sha256=model.files[0].sha256,
                port=free_port(),
                secret_path=str(secret),
                threads=(threads or cores) if chat else 1,
                context=context if chat else _EMBEDDING_CONTEXT * 2,
                slots=slots if chat else 2,
            )
        )
    made = tuple(sorted(found, key=lambda one: one.name))
    write_down(run, made)
    return made


def deployed(run: Path) -> tuple[Deployment, ...]:
    """The deployments of the running instance; empty where there are none."""
    try:
        return msgspec.json.decode((run / FILE).read_bytes(), type=tuple[Deployment, ...])
    except FileNotFoundError:
        return ()


def place(run: Path, model: Manifest, shape: Deployment) -> Deployment:
    """`shape` with a free port and a fresh secret: one more engine beside those that run, in a process of its own name.

    The secret's file is the engine's own, so that a successor under the same target name does not lock callers out.
    """
    port = free_port()
    secret = run / SECRETS / f"{shape.name}-{port}.secret"
    write_private(secret, secrets.token_hex(32).encode())
    return msgspec.structs.replace(
        shape,
        kind=model.kind,
        model=model.name,
        sha256=model.files[0].sha256,
        port=port,
        secret_path=str(secret),
        child=f"engine-{shape.name}-{port}",
    )


def secret_of(deployment: Deployment) -> str:
    """The key the engine asks its callers for."""
    return Path(deployment.secret_path).read_text()


def forget_secret(deployment: Deployment) -> None:
    """Of an engine that has ended."""
    Path(deployment.secret_path).unlink(missing_ok=True)


def write_down(run: Path, deployments: tuple[Deployment, ...]) -> None:
    """Make these the deployments of the running instance."""
    write_private(run / FILE, msgspec.json.encode(tuple(sorted(deployments, key=lambda one: one.name))))


def command(deployment: Deployment, store: Path, public: Verifier, log: Path) -> Command:
    """How the supervisor runs the engine. Its environment is bare: vendors' secrets are none of its business."""
    module = _MODULES.get(deployment.kind, "freehold.serving.engines.llama_cpp")
    argv = [sys.executable, "-m", module, "--store", str(store)]
    argv += ["--public", public.public.hex(), "--model", deployment.model]
    argv += ["--port", str(deployment.port), "--secret-file", deployment.secret_path]
    if module not in _MODULES.values():
        argv += ["--kind", deployment.kind]
        argv += ["--threads", str(deployment.threads), "--context", str(deployment.context)]
        argv += ["--slots", str(deployment.slots), "--max-output", str(deployment.max_output)]
        argv += ["--batch", str(deployment.batch)] if deployment.batch else []
        argv += ["--kv", deployment.kv] if deployment.kv else []

    async def probe() -> bool:
        return await healthy(deployment.port)

    env = [("OMP_WAIT_POLICY", "passive"), ("PYTHONUNBUFFERED", "1")]
    if deployment.kind == "classifier":  # its products are too small to share out
        env += [("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")]
    return Command(
        name=deployment.process,
        argv=tuple(argv),
        env=tuple(env),
        log=log,
        probe=probe,
        drain=100,
        rules=Rules(ready_within=120.0, grace=5.0),
    )


async def healthy(port: int) -> bool:
    """True where the engine on that loopback port says it has loaded its model."""
    try:
        return (await ask(port, "/health", within=_PROBE_SECONDS))[0] == 200
    except OSError:
        return False


def targets(deployments: tuple[Deployment, ...]) -> tuple[Target, ...]:
    """The rows by which calls reach the engines; nothing leaves the machine, so they may take every label."""
    return tuple(_target(one) for one in deployments)


def _target(one: Deployment) -> Target:
    """A classifier speaks plain OpenAI; the other engines have manners of their own."""
    linear = one.kind == "classifier"
    return Target(
        name=one.name,
        provider=PROVIDER,
        driver="openai" if linear else "llama_cpp",
        dialects=_DIALECTS[one.kind],
        model=one.model,
        origin=Origin("http", LOOPBACK, one.port),
        credential=f"${{file:{one.secret_path}}}",
        owned=True,
        region="local",
        clearance=UNKNOWN,
        context_tokens=0 if linear else one.context_per_call,
        max_output_tokens=_CLASSIFIER_OUTPUT if linear else min(one.max_output, one.context_per_call),
        first_token_seconds=10.0 if linear else 120.0,
        quirks=("no_tools",) if one.kind in ("adapter", "chat", "prompt") else (),
        examples=one.examples,
        digest=one.sha256,
    )
