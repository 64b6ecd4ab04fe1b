"""The primary's end: takes replicas' journals, hands out snapshots, and leads gateways' lines to the budget authority.

It decides nothing about money and loads nothing: the one writer does, from the same files as ever.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from freehold.core.errors import BadConfig, BadRequest, Conflict
from freehold.core.log import Log
from freehold.ledger.shipping.messages import (
    JOIN_BYTES,
    SNAPSHOT,
    Begin,
    Down,
    Hangup,
    Join,
    Over,
    Parcel,
    Refuse,
    Reply,
    Say,
    Snapshot,
    Up,
    decode_up,
    framed,
    packed,
    receive,
)
from freehold.ledger.shipping.shelf import Shelf

JOIN_SECONDS = 10.0
"""Longest a connection may take to show its token."""
LOOK_SECONDS = 0.1
MAX_ANSWER = 64 << 10
BROKEN = (OSError, EOFError, msgspec.DecodeError, BadRequest, Conflict)


class Dock:
    """Listens for couriers. `admits` gives the replica's id for a token, or None; `told` hears who comes and goes."""

    def __init__(
        self, home: Path, admits: Callable[[str], str | None], log: Log, told: Callable[[], None] = lambda: None
    ) -> None:
        self.home = home
        self.admits = admits
        self.log = log
        self.told = told
        self.shelf = Shelf(home)
        self.boats: dict[str, _Boat] = {}
        """The replicas that are connected, by name."""

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None, *, plain: bool = False) -> asyncio.Server:
        """Begin to listen. Raises BadConfig where tokens and content would go unsealed over a network."""
        if tls is None and not plain and not _loopback(host):
            hint = "give the dock a certificate, or let it listen on 127.0.0.1"
            raise BadConfig(f"the dock would listen on {host} without TLS", hint=hint)
        return await asyncio.start_server(self._arrived, host, port, ssl=tls)

    async def close(self) -> None:
        """Let go of every replica."""
        for boat in list(self.boats.values()):
            boat.writer.close()

    def keep(self, ids: frozenset[str]) -> None:
        """Let go of every other replica than these, and tell it so."""
        for boat in [one for name, one in self.boats.items() if name not in ids]:
            boat.send(Refuse())
            boat.writer.close()

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                joined = decode_up(await receive(reader, JOIN_BYTES))
            name = self.admits(joined.token) if isinstance(joined, Join) else None
            if name is None:
                self.log.warning("replica refused: no such token")
                writer.write(packed(Refuse()))
                return
            boat = _Boat(self, name, writer)
            before = self.boats.get(name)
            if before is not None:
                before.writer.close()  # half open, or a second machine with the same token: the newest is listened to
            self.boats[name] = boat
            self.log.info("replica joined", replica=name)
            self.told()
            try:
                await boat.serve(reader)
            finally:
                if self.boats.get(name) is boat:
                    del self.boats[name]
                    self.told()
                self.log.info("replica left", replica=name)
        except BROKEN as error:
            self.log.warning("replica cut off", why=str(error))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class _Boat:
    """One courier's connection."""

    def __init__(self, dock: Dock, name: str, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.writer = writer
        peer = writer.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._dock = dock
        self._lines: dict[int, _Line] = {}

    def send(self, message: Down) -> None:
        """Send, some time."""
        if not self.writer.is_closing():
            self.writer.write(packed(message))

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Until the connection ends."""
        showing = asyncio.create_task(self._show())
        showing.add_done_callback(lambda _: self.writer.close())  # who is shown nothing must not look connected
        try:
            while True:
                self._take(decode_up(await receive(reader)))
                await self.writer.drain()
        finally:
            showing.cancel()
            ended = [line.close() for line in self._lines.values()]
            for failed in await asyncio.gather(showing, *ended, return_exceptions=True):
                if isinstance(failed, Exception):
                    self._dock.log.error("replica's line failed", replica=self.name, why=str(failed))

    def _take(self, message: Up) -> None:
        shelf = self._dock.shelf
        if isinstance(message, Parcel):
            self.send(shelf.append(self.name, message))
        elif isinstance(message, Begin):
            self.send(shelf.begin(self.name, message.epoch))
        elif isinstance(message, Over):
            self.send(shelf.end(self.name, message))
        elif isinstance(message, Say):
            self._say(message)
        elif isinstance(message, Hangup):
            line = self._lines.pop(message.line, None)
            if line is not None:
                line.close()
        else:
            raise BadRequest("joined twice")

    def _say(self, message: Say) -> None:
        line = self._lines.get(message.line)
        if line is None:
            if self._dock.shelf.begin(self.name, message.epoch).ended:
                self.send(Hangup(message.line))
                return
            line = _Line(self._dock.home, message.line, message.epoch, self)
            self._lines[message.line] = line
        # Whose money it is was said by the first message of the line, and is not for the replica to say again.
        asked = msgspec.msgpack.decode(message.data)
        if line.epoch != message.epoch or not isinstance(asked, dict) or asked.get("type") not in {"lease", "return"}:
            raise BadRequest("that is nothing to say to the budget authority")
        line.say(message.data)

    async def _show(self) -> None:
        """Each snapshot when it changes, whole."""
        seen: dict[str, tuple[int, int]] = {}
        folder = self._dock.home / "snapshots"
        while True:
            for path in sorted(folder.glob("*.snapshot")):
                found = path.stat()
                stamp = (found.st_mtime_ns, found.st_ino)
                if SNAPSHOT.fullmatch(path.name) and seen.get(path.name) != stamp:
                    self.send(Snapshot(path.name, path.read_bytes()))
                    seen[path.name] = stamp
            await asyncio.sleep(LOOK_SECONDS)


class _Line:
    """A remote gateway's line to the authority of this machine."""

    def __init__(self, home: Path, number: int, epoch: str, boat: _Boat) -> None:
        self.epoch = epoch
        self._number = number
        self._boat = boat
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        hello = msgspec.msgpack.encode({"type": "hello", "epoch": epoch})
        self._queue.put_nowait(hello)
        self._task = asyncio.create_task(self._run(home / "run" / "writer.sock"))

    def say(self, data: bytes) -> None:
        """Say it as soon as the authority is there."""
        self._queue.put_nowait(data)

    def close(self) -> asyncio.Task[None]:
        """Hang up."""
        self._task.cancel()
        return self._task

    async def _run(self, path: Path) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(path)
        except OSError:
            self._boat.send(Hangup(self._number))  # not answered is not granted: the gateway asks again
            return
        talking = asyncio.create_task(self._talk(writer))
        try:
            while True:
                self._boat.send(Reply(self._number, await receive(reader, MAX_ANSWER)))
        except (OSError, EOFError, BadRequest):
            self._boat.send(Hangup(self._number))
        finally:
            talking.cancel()
            writer.close()
            await asyncio.gather(talking, return_exceptions=True)

    async def _talk(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(framed(await self._queue.get()))
            await writer.drain()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
