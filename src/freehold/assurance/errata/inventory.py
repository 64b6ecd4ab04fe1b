"""What is here that an advisory may be about: engines and tools by version, models by digest and what they rest on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from freehold.assurance.errata.matching import Thing
from freehold.assurance.errata.types import Advisory
from freehold.policy.targets import Target
from freehold.registry.types import Manifest

LLAMA = "pkg:github/ggml-org/llama.cpp"
EMBEDDED = "engine llama.cpp"
_PYPI = "pkg:pypi/"
_ENGINES = {"llama-server": LLAMA, "lm-studio": LLAMA, "ollama": "pkg:github/ollama/ollama"}
SERVERS = frozenset({"sglang", "vllm", *_ENGINES})
"""Kinds of engines that are somebody's own, though a URL leads to them."""
Versions = Callable[[str], str]
"""Version of an installed package; empty where it is not installed."""


def installed(package: str) -> str:
    """Of this environment."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


class Attached(msgspec.Struct, frozen=True):
    """An engine beside the embedded one. `ours`: it loads what our store gives it, and nothing else."""

    kind: str
    version: str = ""
    """Empty where it does not tell."""
    ours: bool = False


def engines(versions: Versions = installed, attached: Mapping[str, Attached] | None = None) -> tuple[Thing, ...]:
    """The embedded engine, and those attached, by name."""
    # Its wheel names a build of its own, not the commit of llama.cpp, which advisories go by: unknown, and said so.
    found = [Thing(name=EMBEDDED, subject="engine", purl=LLAMA, version="")] if versions("xllamacpp") else []
    for name, one in sorted((attached or {}).items()):
        held = ("gateway", "store") if one.ours else ("gateway",)
        purl = _ENGINES.get(one.kind, f"{_PYPI}{one.kind}")
        found.append(Thing(name=f"engine {name}", subject="engine", purl=purl, version=one.version, held=held))
    return tuple(found)


def tools(advisories: Iterable[Advisory], versions: Versions = installed) -> tuple[Thing, ...]:
    """Installed packages that any advisory is about."""
    names = {
        one.purl.removeprefix(_PYPI)
        for advisory in advisories
        for one in advisory.affected
        if one.purl.startswith(_PYPI)
    }
    return tuple(
        Thing(name=f"package {name}", subject="tool", purl=_PYPI + name, version=version)
        for name in sorted(names)
        if (version := versions(name))
    )


def models(manifests: Sequence[Manifest], serving: Mapping[str, str]) -> tuple[Thing, ...]:
    """Models in the store; `serving` names the engine of those that are served."""
    found = []
    for one in manifests:
        subject = "adapter" if one.kind == "adapter" else "template" if one.kind == "prompt" else "model"
        bases = (one.lineage.base,) if one.lineage is not None and one.lineage.base else ()
        engine = (serving[one.name],) if one.name in serving else ()
        digests = {blob.sha256 for blob in one.files} | {one.origin.sha256, one.making.from_sha256} - {""}
        found.append(
            Thing(
                name=one.name,
                subject=subject,  # type: ignore[arg-type]  # three of its words
                purl=f"pkg:generic/{one.origin.package}" if one.origin.package else "",
                version=one.origin.version,
                digests=tuple(sorted(digests)),
                licence=one.licence,
                bases=(*bases, *engine),
            )
        )
    return tuple(found)


def rented(targets: Iterable[Target]) -> tuple[Thing, ...]:
    """Vendors' models that routes lead to."""
    return tuple(
        Thing(
            name=f"target {one.name}",
            subject="vendor-model",
            purl=f"pkg:generic/{one.offering or one.provider}/{one.model}",
        )
        for one in targets
        if not one.owned
    )


def ours(guard_rules: str, prices: str, package: str) -> tuple[Thing, ...]:
    """What Freehold brings: its rules, its price list, itself; each by its version or digest."""
    return (
        Thing(name="guard rules", subject="guard", purl="pkg:generic/freehold/guard", version=guard_rules),
        Thing(name="price list", subject="prices", purl="pkg:pypi/genai-prices", version=prices),
        Thing(name="freehold", subject="engine", purl="pkg:pypi/freehold", version=package),
    )
