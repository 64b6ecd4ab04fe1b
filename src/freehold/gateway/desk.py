"""The way of callers' files and batches: through the gateway's door to the desk, a process that has a database.

The gateway says whose key it was; the desk believes whoever reaches its socket, which only this user can.
"""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from freehold.core.errors import BadRequest, Forbidden, FreeholdError, Unavailable
from freehold.core.label import parse_label
from freehold.gateway.inbound import Inbound
from freehold.gateway.listener import Connection
from freehold.gateway.reply import head_of

if TYPE_CHECKING:
    from freehold.gateway.plane import Plane

PATHS = (b"/v1/files", b"/v1/batches")
CARRIED = (b"x-freehold-label", b"x-freehold-strict", b"x-freehold-subject", b"x-freehold-workflow")
"""Headers that a batch's lines are sent with, if it was made with them."""
AT_ONCE = 8
"""Errands under way at a time: each may hold a whole file in memory."""
SECONDS = 120.0
LENGTH = struct.Struct("<Q")


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks of the desk."""

    method: str
    path: str
    query: str
    kind: str
    """Content type of the body."""
    key_id: str
    key_name: str
    team: str
    label: str
    """The key's default joined with what was stated."""
    headers: dict[str, str]
    """Those of `CARRIED` that were sent."""
    body: bytes


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk answers."""

    status: int
    kind: str = "application/json"
    error: str = ""
    """Code of the error, where it is one."""
    body: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Told).decode


class Waiting:
    """One errand on its way."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task

    def hung_up(self) -> None:
        """Nobody waits for the answer; what was asked for may be done all the same."""
        self.task.cancel()

    def pause(self) -> None:
        """The answer is written at once."""

    def resume(self) -> None:
        """See above."""


class Desk:
    """Where errands go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Does anybody wait for an answer?"""
        return bool(self._tasks)

    def serves(self, url: bytes) -> bool:
        """Is this path the desk's?"""
        path = url.partition(b"?")[0]
        return any(path == one or path.startswith(one + b"/") for one in PATHS)

    def serve(self, plane: Plane, connection: Connection, inbound: Inbound) -> Waiting | None:
        """Check the key, ask the desk, answer the caller."""
        try:
            errand = errand_of(plane, inbound)
        except FreeholdError as error:
            plane.refuse(connection, error, inbound)
            connection.done()
            return None
        task = asyncio.get_running_loop().create_task(self._run(plane, connection, inbound, errand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Waiting(task)

    async def _run(self, plane: Plane, connection: Connection, inbound: Inbound, errand: Errand) -> None:
        try:
            told = await self._ask(errand)
        except FreeholdError as error:
            plane.refuse(connection, error, inbound)
        except Exception as error:  # noqa: BLE001 - the process edge: the caller must be answered
            plane.log_defect(error, "")
            connection.close()
        else:
            request_id = "call_" + plane.new_id().hex()
            headers = [(b"content-type", told.kind.encode()), (b"x-request-id", request_id.encode())]
            if told.error:
                headers.append((b"x-freehold-error", told.error.encode()))
            connection.write(head_of(told.status, headers, len(told.body), keep=inbound.keep_alive) + told.body)
        connection.done()

    async def _ask(self, errand: Errand) -> Told:
        """Raises Unavailable where the desk does not answer."""
        data = _encode(errand)
        try:
            async with asyncio.timeout(SECONDS), self._turns:
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(LENGTH.pack(len(data)))
                    writer.write(data)
                    await writer.drain()
                    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                    return _decode(await reader.readexactly(length))
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            raise Unavailable("files and batches are not served just now", retry_after=5.0) from None


def errand_of(plane: Plane, inbound: Inbound) -> Errand:
    """Raises the Unauthenticated errors, Forbidden, RequestLimit, BadRequest."""
    now = plane.now()
    caller = plane.gate.admit(inbound.headers, now)
    if caller.service:
        raise Forbidden("Freehold's own key makes no files and batches")
    caller.admit(0, now)
    sent = inbound.headers
    headers = {name.decode(): _text(sent[name]) for name in CARRIED if name in sent}
    label = caller.label
    if "x-freehold-label" in headers:
        label = label.join(parse_label(headers["x-freehold-label"]))
    path, _, query = inbound.url.partition(b"?")
    principal = caller.principal
    return Errand(
        method=_text(inbound.method),
        path=_text(path),
        query=_text(query),
        kind=_text(sent.get(b"content-type", b"")),
        key_id=principal.key_id,
        key_name=principal.name,
        team=principal.team,
        label=str(label),
        headers=headers,
        body=inbound.body,
    )


def _text(value: bytes) -> str:
    """Clients send UTF-8 or Latin-1; what would not go out in a header again is refused."""
    try:
        found = value.decode()
    except UnicodeDecodeError:
        found = value.decode("latin-1")
    if not found.isprintable():
        raise BadRequest("a header or path holds what cannot be printed")
    return found
