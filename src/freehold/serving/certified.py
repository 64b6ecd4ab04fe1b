"""Cells of the certified matrix: one model, engine, hardware and quantisation, measured on a day, and signed.

`home/certified/ID.json` holds a cell beside the signature of this instance. A cell that does not verify is not shown.
"""

from __future__ import annotations

import platform
from pathlib import Path

import msgspec

from freehold.core.canonical import exact
from freehold.core.crypto import Identity, Verifier, sha256, write_private
from freehold.core.errors import BadSignature

FOLDER = "certified"
_SIGNED_AS = b"freehold certified cell v1\n"


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of serving: 0 for nothing. Seconds, tokens a second over all calls, and scores in [0, 1]."""

    latency: float = 0.0
    """Of a call, at the 95th percentile."""
    tokens_per_second: float = 0.0
    quality: float = 0.0
    """Least mean score."""


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine was started."""

    threads: int
    slots: int
    context: int
    """Tokens over all slots."""
    batch: int = 0
    """Tokens of prompts read at once; 0 for the engine's own number."""
    kv: str = ""
    """Type of the cache; empty for f16."""


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of serving did under load, asked through the gateway."""

    flags: Flags
    concurrency: int
    calls: int
    failed: int
    tokens_per_second: float
    """Output tokens over all calls, by the wall clock."""
    latency: float
    """Seconds of a call, at the 95th percentile."""
    memory_bytes: int
    """Of the engine's process at its peak; 0 where it could not be read."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One quantisation, measured. Quality is None where there was nothing to grade by."""

    name: str
    quantisation: str
    sha256: str
    size_bytes: int
    speed: Speed
    quality: float | None = None
    low: float | None = None
    high: float | None = None
    """Of its difference to the incumbent, anytime-valid."""
    pairs: int = 0
    note: str = ""
    """Matrices that are in another type, or why it could not be measured."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, for whom it holds, and when."""

    id: str
    model: str
    base_sha256: str
    """Of the artefact that the variants were made of."""
    engine: str
    engine_version: str
    hardware: str
    at: str
    """RFC 3339, UTC."""
    workflow: str
    grader: str
    slo: Slo
    chosen: str
    """Name of the variant; empty where none meets what is asked."""
    flags: Flags | None
    variants: tuple[Variant, ...]
    tried: tuple[Speed, ...]
    """Ways of serving the chosen variant."""


class _Signed(msgspec.Struct, frozen=True):
    cell: Cell
    key: str
    signature: str


def keep(home: Path, cell: Cell, identity: Identity) -> Path:
    """Sign a cell and write it down."""
    signature = identity.sign(_SIGNED_AS + _bytes(cell)).hex()
    path = home / FOLDER / f"{cell.id}.json"
    write_private(path, msgspec.json.format(msgspec.json.encode(_Signed(cell, identity.key_id, signature)), indent=1))
    return path


def cells(home: Path, verifier: Verifier) -> tuple[Cell, ...]:
    """Every cell, newest first. Raises BadSignature where one is not as it was signed."""
    found = []
    for path in (home / FOLDER).glob("*.json"):
        try:
            one = msgspec.json.decode(path.read_bytes(), type=_Signed)
            verifier.verify(bytes.fromhex(one.signature), _SIGNED_AS + _bytes(one.cell))
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            raise BadSignature(f"{path.name} is no cell of the certified matrix", hint=f"remove {path}") from None
        except BadSignature:
            raise BadSignature(f"{path.name} was changed since it was signed", hint=f"remove {path}") from None
        found.append(one.cell)
    return tuple(sorted(found, key=lambda one: (one.at, one.id), reverse=True))


def cell_id(model: str, hardware: str, at: str) -> str:
    """A short name that two measurements do not share."""
    return sha256(f"{model}\n{hardware}\n{at}".encode()).hex()[:12]


def hardware_of(cores: int, cpuinfo: Path = Path("/proc/cpuinfo"), meminfo: Path = Path("/proc/meminfo")) -> str:
    """This machine in words: processor, cores and memory, as far as it tells them."""
    model = _field(cpuinfo, "model name") or platform.machine()
    memory = _field(meminfo, "MemTotal").split(" ")[0]
    gib = f", {int(memory) / 2**20:.0f} GiB" if memory.isdigit() else ""
    return f"{model}, {cores} cores{gib}"


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((one.partition(":")[2].strip() for one in lines if one.startswith(name)), "")


def _bytes(cell: Cell) -> bytes:
    return exact(msgspec.to_builtins(cell))
