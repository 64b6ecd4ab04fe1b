"""Settings as a site to deploy: what a container must be told beside the file, which secrets, where it connects."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from freehold.assurance.deploying.engines import PVC, address_of
from freehold.assurance.deploying.manifests import authority_of, key_of, variable_of
from freehold.assurance.deploying.network import address
from freehold.assurance.deploying.replicas import dock_of
from freehold.assurance.deploying.types import (
    DOCK_PORT,
    FOLDER,
    HOME,
    TLS_FOLDER,
    WEIGHTS,
    Engine,
    EnginesAs,
    SecretFile,
    Site,
    Size,
    Way,
)
from freehold.core.errors import BadRequest
from freehold.serving.settings import EngineSettings
from freehold.settings import compile as compiled
from freehold.settings import database, valkey
from freehold.settings.addresses import is_loopback, server_of, split_url
from freehold.settings.bodies import origin_of
from freehold.settings.environment import CONFIG, override_name
from freehold.settings.environment import HOME as HOME_VARIABLE
from freehold.settings.load import Loaded
from freehold.settings.location import FILE

_REFERENCE = re.compile(r"\$\{(env|file):(.+)\}\Z", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z")
"""A name of Kubernetes' that has room for what is put around it."""
_PRIMARY_ALONE = frozenset(("database", "bodies", "identity"))
"""Tables that a replica has no use for."""
_NOTICE_SECONDS = 5.0
"""So long a balancer may take to see that a pod drains."""
_PARALLEL = ("--tensor-parallel-size", "-tp", "--pipeline-parallel-size", "-pp")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the file does not say."""

    version: str
    image: str
    namespace: str
    size: Size
    engines_as: EnginesAs
    engine_image: str
    weights: Mapping[str, str]
    """Engine to where its weights are; `pvc://freehold-models/ENGINE` for the others."""
    blocks: Mapping[str, tuple[str, ...]]
    """Host to its address blocks."""
    cilium: bool
    replicas: int = 0
    contained: bool
    """Whether it will run in a container, where the file's own folder is not."""


def site(loaded: Loaded, wanted: Wanted) -> Site:
    """The site. Raises BadRequest for names and blocks that cannot be written."""
    settings = loaded.settings
    if not _LABEL.match(wanted.namespace):
        raise BadRequest(f"{wanted.namespace!r} is no name of a namespace", param="namespace")
    if wanted.replicas and not settings.dock.enabled:
        raise BadRequest("replicas have nowhere to join", hint="set enabled = true in [dock]", param="replicas")
    engines = _engines(loaded, wanted)
    files, remarks = _files(loaded)
    hosts = _hosts(settings.gateway.hosts, wanted.namespace)
    variables, held = _secrets(loaded, wanted)
    own_variables, own_files = _secrets(loaded, wanted, _PRIMARY_ALONE)
    taken = {one.name for one in engines}
    for name, one in sorted(settings.engines.items()):
        if one.command and name not in taken and wanted.contained:
            remarks.append(f"[engines.{name}] has a command, which is not in the image: the model is not served")
        if name in taken and one.adapters:
            remarks.append(f"[engines.{name}] has adapters: load them where the engine runs, they are not written here")
    if settings.serving.enabled and settings.serving.weights and wanted.contained:
        remarks.append(f"[serving] weights: in the image they are in {WEIGHTS}, whatever the file says")
    return Site(
        version=wanted.version,
        image=wanted.image,
        namespace=wanted.namespace,
        size=wanted.size,
        port=settings.gateway.port or 8700,
        host_header=next(one for one in hosts if one != "*"),
        tls=bool(settings.gateway.tls_certificate),
        local_engines=any(one.command for one in settings.engines.values()),
        files=files,
        environment=_environment(loaded, wanted, hosts, engines),
        variables=variables,
        secret_files=held,
        ways=_ways(loaded, wanted.blocks),
        engines_as=wanted.engines_as,
        engines=engines,
        cilium=wanted.cilium,
        replicas=wanted.replicas,
        replica_variables=own_variables,
        replica_files=own_files,
        remarks=tuple(remarks),
    )


def _hosts(configured: tuple[str, ...], namespace: str) -> tuple[str, ...]:
    """The Host headers that are served: the file's, this machine's own (for the probes), and the service's names."""
    service = (
        "freehold",
        f"freehold.{namespace}",
        f"freehold.{namespace}.svc",
        f"freehold.{namespace}.svc.cluster.local",
    )
    return tuple(dict.fromkeys(("127.0.0.1", *configured, *service)))


def _environment(
    loaded: Loaded, wanted: Wanted, hosts: tuple[str, ...], engines: tuple[Engine, ...]
) -> tuple[tuple[str, str], ...]:
    settings = loaded.settings
    found = {
        CONFIG: f"{FOLDER}/{FILE}",
        HOME_VARIABLE: HOME,
        "HOME": "/tmp",  # noqa: S108  the container's own
        override_name("gateway", "host"): "0.0.0.0",  # noqa: S104  the container's own network
        override_name("gateway", "port"): str(settings.gateway.port or 8700),
        override_name("gateway", "hosts"): json.dumps(hosts),
        override_name("admin", "port"): str(settings.admin.port or 8701),
    }
    if settings.gateway.tls_certificate:
        found[override_name("gateway", "tls_certificate")] = f"{TLS_FOLDER}/tls.crt"
        found[override_name("gateway", "tls_key")] = f"{TLS_FOLDER}/tls.key"
    if settings.serving.enabled:
        found[override_name("serving", "weights")] = WEIGHTS
    if wanted.replicas:
        found[override_name("dock", "host")] = "0.0.0.0"  # noqa: S104  the container's own network
        found[override_name("dock", "port")] = str(DOCK_PORT)
        found[override_name("dock", "address")] = dock_of(wanted.namespace)
        notice = settings.gateway.drain_notice_seconds or _NOTICE_SECONDS
        found[override_name("gateway", "drain_notice_seconds")] = str(notice)
    given = {override_name(*pair.split(".", 1)): value for pair, value in _given(loaded)}
    found = {**given, **found}
    for one in engines:
        table = _table(one.name, settings.engines[one.name], wanted)
        found[f"FREEHOLD__ENGINES__{one.name}"] = table
    return tuple(found.items())


def _given(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """Settings that variables override here: there is no reason why they should not hold there."""
    for table, key in sorted(loaded.variables):
        if (table, key) != ("admin", "host"):
            value = getattr(getattr(loaded.settings, table, None), key, None)
            if isinstance(value, bool | int | float | str):
                yield f"{table}.{key}", json.dumps(value) if not isinstance(value, str) else value


def _table(name: str, one: EngineSettings, wanted: Wanted) -> str:
    """The engine's table as it is asked from outside: TOML on one line."""
    told: dict[str, Any] = {
        "kind": one.kind,
        "url": address_of(name, wanted.namespace, wanted.engines_as),
        "model": one.model,
        "api_key": f"${{env:{variable_of(name)}}}",
        "tls_ca": f"{FOLDER}/{authority_of(name)}",
        "region": one.region,
        "clearance": one.clearance,
        "context_tokens": one.context_tokens,
        "max_output_tokens": one.max_output_tokens,
        "most_in_flight": one.most_in_flight,
    }
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in told.items()) + "}"


def _engines(loaded: Loaded, wanted: Wanted) -> tuple[Engine, ...]:
    """Those that are started here, to be served by the cluster. Raises BadRequest."""
    found = []
    for name, one in sorted(loaded.settings.engines.items()):
        if not one.command or wanted.engines_as == "none":
            continue
        if one.kind != "vllm":
            raise BadRequest(f"[engines.{name}] is {one.kind}'s: only vLLM can be written", hint="--engines none")
        if not _LABEL.match(name):
            raise BadRequest(f"{name!r} is no name in Kubernetes", hint="rename it: a-z, 0-9, dashes, up to 40")
        if wanted.engines_as == "vllm" and not wanted.engine_image:
            raise BadRequest(
                "which image has vLLM is not known", hint="name yours: --engine-image", param="engine_image"
            )
        uri = wanted.weights.get(name, f"{PVC}freehold-models/{name}")
        if wanted.engines_as == "vllm" and not re.fullmatch(r"pvc://[a-z0-9][a-z0-9.-]*/[A-Za-z0-9._/-]+", uri):
            raise BadRequest(f"{uri!r} is no pvc://CLAIM/PATH", hint="plain vLLM reads its weights from a claim")
        found.append(
            Engine(
                name=name,
                model=one.model,
                uri=uri,
                image=wanted.engine_image,
                gpus=_gpus(one.arguments),
                arguments=one.arguments,
                environment=tuple(sorted(one.environment.items())),
                context_tokens=one.context_tokens,
            )
        )
    unknown = sorted(set(wanted.weights) - {one.name for one in found})
    if unknown:
        raise BadRequest(f"there is no engine {unknown[0]!r} to serve", param="weights")
    return tuple(found)


def _gpus(arguments: tuple[str, ...]) -> int:
    """Accelerators of one replica: what its arguments spread it over."""
    words = [each for one in arguments for each in one.split("=", 1)]
    product = 1
    for name, value in itertools.pairwise(words):
        if name in _PARALLEL and value.isdigit():
            product *= int(value)
    return product


def _files(loaded: Loaded) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """The configuration and the public files it names, and what could not be taken along."""
    if loaded.file is None:
        return ((FILE, "# the defaults hold\n"),), []
    settings, folder = loaded.settings, loaded.file.parent
    named = {settings.policy.cedar, settings.valkey.tls_ca, settings.bodies.tls_ca}
    named |= {one.tls_ca for one in settings.providers.values()}
    if settings.identity.oidc is not None:
        named.add(settings.identity.oidc.tls_ca)
    named |= {str(folder / one.tls_ca) for one in settings.engines.values() if one.tls_ca}
    found, remarks = [], []
    for name in sorted(one for one in named if one):
        path = Path(name)
        try:
            found.append((path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            remarks.append(f"{name} must lie at the same place inside: it is not below the configuration's folder")
    keys = [key_of(path) for path, _ in found]
    if len(set(keys)) < len(keys):
        raise BadRequest("two files of the configuration have one name in a ConfigMap", hint="rename one of them")
    return ((FILE, loaded.file.read_text(encoding="utf-8")), *found), remarks


def _secrets(
    loaded: Loaded, wanted: Wanted, without: frozenset[str] = frozenset()
) -> tuple[tuple[str, ...], tuple[SecretFile, ...]]:
    """Every reference in the settings but in those tables: names of variables, and files."""
    folder = loaded.file.parent if loaded.file else Path.cwd()
    found = {
        (one[1], one[2])
        for text in _texts(loaded.settings.model_dump(exclude=set(without)))
        if (one := _REFERENCE.match(text))
    }
    held = []
    for _, name in sorted(one for one in found if one[0] == "file"):
        path = Path(name)
        below = path.is_relative_to(folder) and wanted.contained
        inside = f"{FOLDER}/{path.relative_to(folder).as_posix()}" if below else name
        held.append(SecretFile(inside, name, key_of(path.relative_to(folder).as_posix() if below else name)))
    return tuple(sorted(name for kind, name in found if kind == "env")), tuple(held)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _ways(loaded: Loaded, blocks: Mapping[str, tuple[str, ...]]) -> tuple[Way, ...]:
    """Where the instance connects: targets' origins as `freehold policy firewall` has them, issuer, collector and
    where state is kept and shared.
    """
    settings = loaded.settings
    found = {(one.origin.host, one.origin.port): "models" for one in compiled.routes(settings, ()).targets}
    asked = {one.url: "models" for one in settings.engines.values() if one.url}
    if settings.identity.oidc is not None:
        asked |= dict.fromkeys((settings.identity.oidc.issuer, *settings.identity.oidc.origins), "sign-in")
    if settings.telemetry.otlp:
        asked[settings.telemetry.otlp] = "collector"
    if settings.bodies.url:
        asked[origin_of(settings.bodies)] = "bodies"
    for url, purpose in asked.items():
        origin, _ = split_url(url)
        found.setdefault((origin.host, origin.port), purpose)
    servers = ((settings.valkey.url, valkey.PORT, "limits"), (settings.database.url, database.PORT, "database"))
    for url, port, purpose in servers:
        if (server := server_of(url, port)) is not None:
            found.setdefault(server, purpose)
    unknown = sorted(set(blocks) - {host for host, _ in found})
    if unknown:
        raise BadRequest(f"the configuration does not connect to {unknown[0]}", param="cidr")
    return tuple(
        sorted(
            Way(host, port, purpose, blocks.get(host, _own(host)))
            for (host, port), purpose in found.items()
            if not is_loopback(host)
        )
    )


def _own(host: str) -> tuple[str, ...]:
    """The block of an address; none of a name."""
    found = address(host)
    return () if found is None else (f"{found}/{found.max_prefixlen}",)
