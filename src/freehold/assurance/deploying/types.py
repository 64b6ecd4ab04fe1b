"""What is known of one instance that is to be deployed elsewhere. References to secrets, never a secret."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["kubernetes", "helm", "compose", "systemd"]
KINDS: tuple[Kind, ...] = ("compose", "helm", "kubernetes", "systemd")
EnginesAs = Literal["vllm", "kserve", "none"]
ENGINES_AS: tuple[EnginesAs, ...] = ("vllm", "kserve", "none")

FOLDER = "/etc/freehold"
"""Where the configuration lies inside a container."""
HOME = "/var/lib/freehold"
TLS_FOLDER = "/etc/freehold-tls"
WEIGHTS = "/srv/freehold/models"
"""Where the image of the Containerfile has the embedded models' weights."""
USER = 10001
"""Number of the user that the image runs as; no account of the machine's is meant."""
DRAIN_SECONDS = 150
"""Four stages of `freehold up` that may take 35 seconds each, and some more."""
ENGINE_PORT = 8000
DOCK_PORT = 8702
"""Where the primary's dock listens inside its pod, whatever the file says."""


class Way(msgspec.Struct, frozen=True, order=True):
    """One address that the instance connects to, and what for."""

    host: str
    port: int
    purpose: str
    blocks: tuple[str, ...] = ()
    """Its address blocks in CIDR notation, where they are known; of an address its own."""


class SecretFile(msgspec.Struct, frozen=True, order=True):
    """A secret that the configuration has read from a file: where it must lie inside, and where it lies here."""

    inside: str
    here: str
    key: str
    """Its name among the keys of the Secret."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One table of `[engines]` whose model is to be served by the cluster instead of by a child process."""

    name: str
    model: str
    uri: str
    """Where the weights are: `pvc://CLAIM/PATH`; for KServe anything its storage knows."""
    image: str
    gpus: int
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    context_tokens: int = 0


class Size(msgspec.Struct, frozen=True):
    """What the instance is given, in Kubernetes' quantities."""

    cpu: str = "1"
    memory: str = "4Gi"
    disk: str = "20Gi"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """An instance to deploy. Everything sorted, so that the same site gives the same bytes."""

    version: str
    image: str
    namespace: str
    size: Size
    port: int
    host_header: str
    """A Host header that the gateway serves, for probes."""
    tls: bool
    local_engines: bool
    """Whether `freehold up` starts engines of `[engines]` itself: they need the machine's accelerators."""
    files: tuple[tuple[str, str], ...]
    """The configuration: paths below its folder, `freehold.toml` first, with their text."""
    environment: tuple[tuple[str, str], ...]
    """What differs from the file inside a container, as FREEHOLD__TABLE__KEY."""
    variables: tuple[str, ...]
    """Names of environment variables that hold secrets."""
    secret_files: tuple[SecretFile, ...]
    ways: tuple[Way, ...]
    engines_as: EnginesAs
    engines: tuple[Engine, ...]
    cilium: bool
    replicas: int = 0
    """Pods that join the primary and serve beside it."""
    replica_variables: tuple[str, ...] = ()
    """Of `variables`, those that a replica has a use for."""
    replica_files: tuple[SecretFile, ...] = ()
    """Of `secret_files`, the same."""
    remarks: tuple[str, ...]
    """What the files cannot do, or somebody has to see to, in words."""
