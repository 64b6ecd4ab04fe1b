"""Everything an instance holds, as a folder that is read without Freehold: JSON lines, model files, the audit log.

Invariant: each table is either written or named with the reason why not; no secret, digest of a secret or seal is.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Table

from freehold import __version__
from freehold.assurance import store
from freehold.assurance.reading import README
from freehold.core.clock import iso
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import connect, present, reading
from freehold.core.errors import BadSignature, Conflict, NotFound
from freehold.ledger.audit import export as audit
from freehold.ledger.capture import Bodies
from freehold.registry.artefacts import Store

LEFT_OUT = {
    "alembic_version": "a mark of Freehold's own",
    "audit_entries": "stands in audit/",
    "audit_intents": "stands in audit/",
    "audit_queue": "on its way into the log",
    "audit_tiles": "stands in audit/",
    "batch_lines": "lines of batches under way; they end in files",
    "checkpoints": "stands in audit/",
    "collectors": "how far collectors of telemetry were told",
    "console_links": "digests of secrets",
    "console_sessions": "digests of secrets",
    "key_secrets": "digests of secrets",
    "leases": "money on loan to gateways at this moment",
    "pending": "calls under way",
    "positions": "how far the journal is read",
    "published": "made anew from the configuration",
    "record_sums": "sums of records, made anew",
    "replicas": "machines of this installation, and digests of secrets",
    "sessions": "digests of secrets",
    "sign_ins": "secrets of sign-ins under way",
}
"""Tables that are not written, and why."""
HIDDEN = {"batches": ("sealed",), "jobs": ("lock_token",), "workflows": ("samples",)}
"""Columns of no use to anybody else: what callers noted on batches; who holds a job now; what stands elsewhere."""

Told = Callable[[str], None]


class Written(msgspec.Struct, frozen=True):
    """One file of an export. `rows` is None where it has no rows."""

    path: str
    sha256: str
    bytes: int
    rows: int | None = None


class Left(msgspec.Struct, frozen=True):
    """What an export holds."""

    folder: str
    files: tuple[Written, ...]
    left_out: dict[str, str]
    unread: int
    """Contents that were kept and could not be opened any more."""


class State(msgspec.Struct, frozen=True):
    """Where what an instance knows lies, as far as it is not in its home."""

    database: URL | None = None
    bodies: Bodies | None = None


class Leaving:
    """One export under way."""

    def __init__(self, home: Path, folder: Path, config: Path | None, told: Told, state: State = State()) -> None:  # noqa: B008  # frozen
        """Raises NotFound where no instance has lived, Conflict where the folder has content."""
        self.database = present(home, state.database)
        if folder.exists() and any(folder.iterdir()):
            raise Conflict(f"{folder} is not empty", hint="name a new folder")
        self.home = home
        self.folder = folder
        self.partial = folder.with_name(f".{folder.name}.partial")
        self.config = config
        self.told = told
        self.identity = Identity.load(home / "identity.key")
        self.bodies = state.bodies or Bodies(home / "bodies", Sealer.load(home / "data.key"))
        self.files: list[Written] = []
        self.unread = 0

    def write(self, now: float, *, content: bool) -> Left:
        """Write it, whole or not at all; without `content` no prompt and no answer is in it."""
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True, mode=0o700)
        engine = connect(self.database)
        try:
            with reading(engine) as connection:
                there = store.tables(connection)
                left_out = self._tables(connection, there)
                if content:
                    self.told("contents")
                    self._lines("contents.jsonl.gz", self._opened(store.rows(connection, there["bodies"])))
        finally:
            engine.dispose()
        self._models()
        self._plans()
        self._audit()
        self._configuration()
        self._add("README.md", README.encode())
        left = Left(str(self.folder), tuple(self.files), left_out, self.unread)
        self._manifest(left, now, content=content)
        if self.folder.exists():
            self.folder.rmdir()
        os.replace(self.partial, self.folder)
        return left

    def _tables(self, connection: Connection, there: Mapping[str, Table]) -> dict[str, str]:
        left_out: dict[str, str] = {}
        for name, table in there.items():
            if name in LEFT_OUT:
                left_out[name] = LEFT_OUT[name]
                continue
            self.told(f"table {name}")
            hidden = HIDDEN.get(name, ())
            found = store.rows(connection, table)
            self._lines(
                f"tables/{name}.jsonl.gz", ({key: row[key] for key in row if key not in hidden} for row in found)
            )
        return left_out

    def _opened(self, kept: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """What was captured and imported, in clear."""
        for row in kept:
            if row["digest"] is None or row["erased_at"] is not None:
                continue
            try:
                plain = self.bodies.open(bytes.fromhex(row["digest"]))
            except (NotFound, BadSignature):
                self.unread += 1
                continue
            yield {"of": row["call"], "side": row["side"], "label": row["label"], **_readable(row["side"], plain)}

    def _models(self) -> None:
        owned = Store(self.home / "store", self.identity)
        for manifest in owned.list():
            self.told(f"model {manifest.name}")
            here = f"models/{manifest.name}"
            self._add(f"{here}/manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=2))
            for blob in manifest.files:
                self._copy(f"{here}/{blob.name}", owned.blob(blob.sha256))
            for paper in manifest.papers.statements if manifest.papers else ():
                self._copy(f"{here}/papers/{paper.kind}.json", owned.blob(paper.sha256))

    def _plans(self) -> None:
        """As they were frozen: each is named by its own digest."""
        for path in sorted((self.home / "plans").glob("plan_*.json")):
            self._copy(f"plans/{path.name}", path)

    def _audit(self) -> None:
        self.told("audit log")
        audit.write(self.home, self.partial / "audit", self.database)
        for path in sorted((self.partial / "audit").rglob("*")):
            if path.is_file():
                self._note(path)

    def _configuration(self) -> None:
        if self.config is not None and self.config.is_file():
            self._copy("configuration/freehold.toml", self.config)

    def _manifest(self, left: Left, now: float, *, content: bool) -> None:
        """Digests in two forms: for programs, signed, and for `sha256sum --check`."""
        told = {
            "form": 1,
            "freehold": __version__,
            "made_at": iso(now),
            "contents": content,
            "unread": self.unread,
            "left_out": left.left_out,
            "files": msgspec.to_builtins(left.files),
            "public_key": self.identity.public.hex(),
        }
        text = msgspec.json.format(msgspec.json.encode(told), indent=2)
        (self.partial / "manifest.json").write_bytes(text)
        (self.partial / "manifest.json.ed25519").write_text(self.identity.sign(text).hex() + "\n")
        sums = "".join(f"{one.sha256}  {one.path}\n" for one in left.files)
        (self.partial / "SHA256SUMS").write_text(sums)

    def _lines(self, name: str, found: Iterable[dict[str, Any]]) -> None:
        path = self._place(name)
        count = 0
        encode = msgspec.json.Encoder().encode
        with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
            for row in found:
                file.write(encode(row) + b"\n")
                count += 1
        self._note(path, count)

    def _add(self, name: str, data: bytes) -> None:
        path = self._place(name)
        path.write_bytes(data)
        self._note(path)

    def _copy(self, name: str, source: Path) -> None:
        path = self._place(name)
        shutil.copyfile(source, path)
        self._note(path)

    def _place(self, name: str) -> Path:
        path = self.partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _note(self, path: Path, rows: int | None = None) -> None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = path.relative_to(self.partial).as_posix()
        self.files.append(Written(name, digest, path.stat().st_size, rows))


def _readable(side: str, plain: bytes) -> dict[str, Any]:
    """A content as JSON: text where it is text, base64 else. All but captured bodies are kept in MessagePack."""
    if side in ("file", "request", "response"):
        return _text("content", plain)
    try:
        found = msgspec.msgpack.decode(plain)
    except msgspec.DecodeError:
        return _text("content", plain)
    if side == "exchange" and isinstance(found, list) and len(found) == 2:
        return {**_text("request", found[0]), **_text("response", found[1])}
    return {"content": _plain(found)}


def _text(name: str, data: bytes) -> dict[str, Any]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
