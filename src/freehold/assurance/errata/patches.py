"""Virtual patches: what keeps an advisory's trigger away here while the engine is unpatched, or why nothing can.

`store` patches hold where artefacts come in: the gate's rules, asked of every file before any engine opens it.
`gateway` patches hold where requests go out: `gateway/patches.py`, named to targets with the routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from freehold.gateway.patches import PATCH
from freehold.gateway.routing.types import Routes
from freehold.policy.targets import Target


class VirtualPatch(msgspec.Struct, frozen=True):
    """One advisory's patch. `rule` is the gateway's rule, or the kind of file the gate keeps out; empty for none."""

    advisory: str
    side: Literal["store", "gateway", "none"]
    rule: str
    said: str
    """What it does; of `none` why nothing here can keep the trigger away."""


PATCHES: tuple[VirtualPatch, ...] = (
    VirtualPatch("CVE-2024-34359", "store", "template", "templates that reach for more than messages do not come in"),
    VirtualPatch(
        "CVE-2025-10155", "store", "pickle", "files are known by content: our own gate decides, no scanner does"
    ),
    VirtualPatch("CVE-2025-10156", "store", "zip", "archives with wrong checksums do not come in"),
    VirtualPatch("CVE-2025-10157", "store", "pickle", "imports are allowed by exact name: our own gate decides"),
    VirtualPatch("CVE-2025-1550", "store", "keras", "Keras files that name functions do not come in"),
    VirtualPatch("CVE-2025-1716", "store", "pickle", "imports are allowed by exact name: our own gate decides"),
    VirtualPatch("CVE-2025-32434", "store", "pickle", "pickles come in only where every import is on the list"),
    VirtualPatch("CVE-2025-8747", "store", "keras", "Keras files that fetch others do not come in"),
    VirtualPatch("CVE-2025-9905", "store", "keras", "HDF5 files with functions in them do not come in"),
    VirtualPatch("CVE-2026-21869", "gateway", "n_discard", "requests with a negative n_discard are refused"),
    VirtualPatch("CVE-2026-22807", "store", "auto_map", "models that name code of their own need a person's word"),
    VirtualPatch("CVE-2026-27893", "store", "auto_map", "models that name code of their own need a person's word"),
    VirtualPatch("CVE-2026-3059", "none", "", "its broker is not on the way of calls: let it listen on loopback only"),
    VirtualPatch("CVE-2026-3060", "none", "", "its broker is not on the way of calls: let it listen on loopback only"),
    VirtualPatch("CVE-2026-5760", "gateway", "ranking", "rankings are not let through to SGLang"),
    VirtualPatch("CVE-2026-7482", "store", "gguf", "GGUF files whose tensors lie outside of them do not come in"),
    VirtualPatch("CVE-2026-9540", "none", "", "nobody says which request brings it down: limits per key bound who can"),
)

ENGINES: tuple[tuple[str, str], ...] = (
    ("llama-server", "n_discard"),
    ("llama_cpp", "n_discard"),
    ("lm-studio", "n_discard"),
    ("ollama", "n_discard"),
    ("sglang", "ranking"),
)
"""Kind of engine, as targets tell it, and the gateway's rule for it. Several serve by llama.cpp's code."""


def held_off(patches: Iterable[VirtualPatch] = PATCHES) -> dict[str, tuple[str, str]]:
    """Advisories that a patch holds off, with its side and what it does."""
    return {one.advisory: (one.side, one.said) for one in patches if one.side != "none"}


def patched(routes: Routes, kinds: dict[str, str]) -> Routes:
    """The routes with each owned target's patches named; `kinds`: the engine of targets that are not llama.cpp's."""
    targets = tuple(_with_rule(one, kinds.get(one.name, one.driver)) for one in routes.targets)
    return msgspec.structs.replace(routes, targets=targets)


def _with_rule(target: Target, kind: str) -> Target:
    rule = dict(ENGINES).get(kind, "")
    if not rule or PATCH + rule in target.quirks:
        return target
    return msgspec.structs.replace(target, quirks=(*target.quirks, PATCH + rule))
