"""Asks an engine how it is, and has it load and unload adapters. Never carries a caller's call.

It speaks plain HTTP/1.1, one request a connection, to addresses that the settings name.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from typing import Any

import msgspec

from freehold.core.errors import Unavailable
from freehold.serving.engines.types import Address, Driver, Load

PROBE_SECONDS = 3.0
LOAD_SECONDS = 120.0
"""An adapter of a gigabyte from a slow disk."""
WARM_SECONDS = 120.0
_MOST_BYTES = 4 << 20
_SAID = 200
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,12})(?:\r|\Z)", re.IGNORECASE)


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: tuple[_Model, ...]


class Control:
    """One engine at one address."""

    def __init__(self, driver: Driver, address: Address) -> None:
        self.driver = driver
        self.address = address

    async def healthy(self) -> bool:
        """True where it says that it serves."""
        try:
            return (await self._ask(self.driver.health, None, PROBE_SECONDS))[0] == 200
        except OSError:
            return False

    async def models(self) -> tuple[str, ...]:
        """What callers may name, adapters among them. Raises Unavailable."""
        status, body = await self._told(f"{self.address.path}/models", None, PROBE_SECONDS)
        try:
            return tuple(one.id for one in msgspec.json.decode(body, type=_Models).data) if status == 200 else ()
        except msgspec.DecodeError:
            raise Unavailable(f"{self.address} does not say which models it serves") from None

    async def load_of(self) -> Load | None:
        """How busy it is by its own metrics; None where it gives none of ours."""
        try:
            status, body = await self._ask("/metrics", None, PROBE_SECONDS)
        except OSError:
            return None
        return read_load(self.driver, body.decode(errors="replace")) if status == 200 else None

    async def warm(self, model: str) -> None:
        """One small call, so that no caller pays for first uses. Raises Unavailable where it is not answered well."""
        asked = {"model": model, "messages": [{"role": "user", "content": "ready?"}], "max_tokens": 1}
        status, body = await self._told(f"{self.address.path}/chat/completions", asked, WARM_SECONDS)
        if status != 200:
            raise Unavailable(f"{model} answers its first call with {status}: {_text(body)}")

    async def load(self, adapter: str, folder: str) -> None:
        """Have it load an adapter from a folder as the engine sees it. Raises Unavailable with what it says."""
        if not self.driver.load:
            raise Unavailable(f"an engine of the kind {self.driver.kind} loads adapters only when it starts")
        status, body = await self._told(self.driver.load, {"lora_name": adapter, "lora_path": folder}, LOAD_SECONDS)
        if status != 200 and adapter not in await self.models():  # it may have been loaded by a try that was cut
            raise Unavailable(f"{self.address} does not load {adapter}: {status} {_text(body)}", hint=_hint(status))

    async def unload(self, adapter: str) -> None:
        """Have it forget an adapter, which may be gone already. Raises Unavailable with what it says."""
        status, body = await self._told(self.driver.unload, {"lora_name": adapter}, LOAD_SECONDS)
        if status != 200 and adapter in await self.models():
            raise Unavailable(f"{self.address} does not unload {adapter}: {status} {_text(body)}")

    async def _told(self, path: str, body: Any, within: float) -> tuple[int, bytes]:
        try:
            return await self._ask(path, body, within)
        except OSError as error:
            raise Unavailable(f"{self.address} does not answer: {error}") from None

    async def _ask(self, path: str, body: Any, within: float) -> tuple[int, bytes]:
        at = self.address
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {at.host}:{at.port}\r\n"
        head += "Connection: close\r\nAccept-Encoding: identity\r\n"
        head += f"Authorization: Bearer {at.secret}\r\n" if at.secret else ""
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" if data else ""
        context = ssl.create_default_context(cafile=at.tls_ca or None) if at.scheme == "https" else None
        try:
            async with asyncio.timeout(within):
                reader, writer = await asyncio.open_connection(at.host, at.port, ssl=context)
                try:
                    writer.write(head.encode() + b"\r\n" + data)
                    return read_answer(await _all(reader))
                finally:
                    writer.close()
        except TimeoutError:
            raise OSError(f"no answer within {within:g} s") from None


def read_answer(got: bytes) -> tuple[int, bytes]:
    """Status and body of a whole HTTP/1.1 answer, chunked or not. Raises OSError for anything else."""
    head, _, body = got.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError("what answers there is not HTTP")
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        body = _unchunked(body)
    return int(words[1]), body


def complete(got: bytes | bytearray) -> bool:
    """Whether an answer is whole by its own length: some servers keep the connection whatever they are asked."""
    head, mark, body = bytes(got).partition(b"\r\n\r\n")
    if not mark:
        return False
    length = _LENGTH.search(head)
    if length is not None:
        return len(body) >= int(length[1])
    return b"\r\ntransfer-encoding: chunked" in head.lower() and body.endswith(b"0\r\n\r\n")


def read_load(driver: Driver, metrics: str) -> Load | None:
    """The two gauges out of a Prometheus text, summed over their series; None where there is neither."""
    found: dict[str, float] = {}
    for line in metrics.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in (driver.running, driver.waiting):
            try:
                found[name] = found.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
            except (IndexError, ValueError):
                continue
    return Load(found.get(driver.running, 0.0), found.get(driver.waiting, 0.0)) if found else None


def _unchunked(body: bytes) -> bytes:
    whole = bytearray()
    while body:
        size, _, rest = body.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            raise OSError("a chunk of the answer has no length") from None
        if length == 0:
            break
        whole += rest[:length]
        body = rest[length + 2 :]
    return bytes(whole)


async def _all(reader: asyncio.StreamReader) -> bytes:
    got = bytearray()
    while len(got) < _MOST_BYTES and not complete(got) and (data := await reader.read(1 << 16)):
        got += data
    return bytes(got)


def _text(body: bytes) -> str:
    return body[:_SAID].decode(errors="replace").replace("\n", " ")


def _hint(status: int) -> str:
    if status == 404:
        return "start it so that adapters may come at run time (vLLM: --enable-lora, and allowed in its environment)"
    return "look into the engine's log"
