"""Fetching from a model hub that speaks Hugging Face's API, when a person asks: `hf:owner/name[@revision]`.

Invariant: the revision is pinned to a commit first, and every file is held to the size and digest the hub names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from freehold.core.errors import BadArtefact
from freehold.registry import wire
from freehold.registry.staging import LEFT_OUT, wanted

SCHEME = "hf:"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?\Z")
_REVISION = re.compile(r"[\w./-]{1,120}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_FILES = 10_000


class Fetched(msgspec.Struct, frozen=True):
    """What was fetched."""

    repository: str
    commit: str
    files: tuple[str, ...]


def parsed(reference: str) -> tuple[str, str]:
    """Repository and revision of `hf:owner/name@revision`. Raises BadArtefact for what is none."""
    repository, _, revision = reference.removeprefix(SCHEME).partition("@")
    revision = revision or "main"
    if not _NAME.match(repository) or not _REVISION.match(revision) or ".." in revision:
        raise BadArtefact(
            f"{reference[:120]!r} is no model of a hub", hint="write hf:owner/name or hf:owner/name@revision"
        )
    return repository, revision


def fetch(reference: str, into: Path, endpoint: str, token: str = "", only: tuple[str, ...] = ()) -> Fetched:
    """Download a model's files into the folder `into`; `only` those that match a pattern. `endpoint` is the hub's.

    Raises NotFound, RegistryFailed, and BadArtefact where bytes are not those the hub named.
    """
    repository, revision = parsed(reference)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    root = endpoint.rstrip("/")
    address = f"{root}/api/models/{repository}/revision/{quote(revision, safe='')}"
    with wire.asked("GET", f"{address}?blobs=true", headers) as answer:
        told = wire.good(answer).json()
    commit, siblings = _told(told)
    names = []
    for one in siblings:
        name = one.get("rfilename")
        if not isinstance(name, str) or not _inside(name):
            raise BadArtefact(f"the hub names a file {str(name)[:80]!r}, which is none of a model's")
        if name.split("/")[0] in LEFT_OUT or not wanted(name, only):
            continue
        lfs = one.get("lfs")
        size, sha256 = one.get("size"), str(lfs.get("sha256") or "") if isinstance(lfs, dict) else ""
        url = f"{root}/{repository}/resolve/{commit}/{quote(name)}"
        wire.download(url, into / name, headers, size=size if isinstance(size, int) else None, sha256=sha256)
        names.append(name)
    if not names:
        raise BadArtefact(f"{repository} holds no files at {revision}")
    return Fetched(repository, commit, tuple(names))


def _told(told: Any) -> tuple[str, list[dict[str, Any]]]:
    commit = told.get("sha") if isinstance(told, dict) else None
    siblings = told.get("siblings") if isinstance(told, dict) else None
    if not isinstance(commit, str) or not _COMMIT.match(commit) or not isinstance(siblings, list):
        raise BadArtefact("the hub names no commit and files")
    if len(siblings) > _FILES or not all(isinstance(one, dict) for one in siblings):
        raise BadArtefact("the hub names too many files, or none that can be read")
    return commit, siblings


def _inside(name: str) -> bool:
    parts = name.split("/")
    return bool(name) and "\\" not in name and "\0" not in name and all(one not in ("", ".", "..") for one in parts)
