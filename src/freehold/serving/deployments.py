"""Deployments: which model runs in which engine process, on which loopback port, with which secret.

Ports and secrets are chosen once per start of the instance and survive an engine's restarts, so the targets made
of them stay true.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from pathlib import Path

import msgspec

from freehold.core.crypto import Verifier, write_private
from freehold.core.label import UNKNOWN
from freehold.core.permit import Origin
from freehold.core.process import Command
from freehold.core.restart import Rules
from freehold.policy.targets import Target
from freehold.registry.artefacts import Kind, Manifest

LOOPBACK = "127.0.0.1"
PROVIDER = "embedded"
CHAT, EMBED = "owned-chat", "owned-embed"
_DIALECTS: dict[Kind, tuple[str, ...]] = {
    "chat": ("openai_chat", "anthropic_count_tokens"),
    "embedding": ("openai_embeddings",),
}
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
                port=_free_port(),
                secret_path=str(secret),
                threads=(threads or cores) if chat else 1,
                context=context if chat else _EMBEDDING_CONTEXT * 2,
                slots=slots if chat else 2,
            )
        )
    made = tuple(sorted(found, key=lambda one: one.name))
    write_private(run / "deployments.json", msgspec.json.encode(made))
    return made


def deployed(run: Path) -> tuple[Deployment, ...]:
    """The deployments of the running instance; empty where there are none."""
    try:
        return msgspec.json.decode((run / "deployments.json").read_bytes(), type=tuple[Deployment, ...])
    except FileNotFoundError:
        return ()


def command(deployment: Deployment, store: Path, public: Verifier, log: Path) -> Command:
    """How the supervisor runs the engine. Its environment is bare: vendors' secrets are none of its business."""
    argv = [sys.executable, "-m", "freehold.serving.engines.llama_cpp", "--store", str(store)]
    argv += ["--public", public.public.hex(), "--model", deployment.model, "--kind", deployment.kind]
    argv += ["--port", str(deployment.port), "--secret-file", deployment.secret_path]
    argv += ["--threads", str(deployment.threads), "--context", str(deployment.context)]
    argv += ["--slots", str(deployment.slots), "--max-output", str(deployment.max_output)]

    async def probe() -> bool:
        return await healthy(deployment.port)

    return Command(
        name=f"engine-{deployment.name}",
        argv=tuple(argv),
        env=(("OMP_WAIT_POLICY", "passive"), ("PYTHONUNBUFFERED", "1")),
        log=log,
        probe=probe,
        drain=100,
        rules=Rules(ready_within=120.0, grace=5.0),
    )


async def healthy(port: int) -> bool:
    """True where the engine on that loopback port says it has loaded its model."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def targets(deployments: tuple[Deployment, ...]) -> tuple[Target, ...]:
    """The rows by which calls reach the engines; nothing leaves the machine, so they may take every label."""
    return tuple(
        Target(
            name=one.name,
            provider=PROVIDER,
            driver="llama_cpp",
            dialects=_DIALECTS[one.kind],
            model=one.model,
            origin=Origin("http", LOOPBACK, one.port),
            credential=f"${{file:{one.secret_path}}}",
            owned=True,
            region="local",
            clearance=UNKNOWN,
            context_tokens=one.context_per_call,
            max_output_tokens=min(one.max_output, one.context_per_call),
            first_token_seconds=120.0,
            quirks=("no_tools",) if one.kind == "chat" else (),
        )
        for one in deployments
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
