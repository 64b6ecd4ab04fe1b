"""The replica's end: ships journals, puts snapshots in their place, and stands in for the budget authority's socket.

Nothing here is on a call's way. Where the primary is away the gateways go on with the money and the rules they have.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import msgspec

from freehold.core.crypto import Verifier
from freehold.core.errors import BadRequest, FreeholdError
from freehold.core.log import Log
from freehold.core.snapshot import Envelope
from freehold.ledger.errors import Refused
from freehold.ledger.intake import tail
from freehold.ledger.shipping.dispatch import Dispatch
from freehold.ledger.shipping.messages import (
    EPOCH,
    SNAPSHOT,
    Begin,
    Down,
    Hangup,
    Join,
    Position,
    Refuse,
    Reply,
    Say,
    Snapshot,
    Up,
    decode_down,
    framed,
    packed,
    receive,
)

LOOK_SECONDS = 0.02
FIRST_PAUSE, LAST_PAUSE = 0.05, 2.0
CONNECT_SECONDS = 10.0
"""The system tries for minutes, ever more seldom, where packets vanish: it would not see that they pass again."""
FIRST_WORD_SECONDS = 5.0
"""How long gateways wait at the start for a primary that says nothing: it may have a refusal to say."""
MAX_ASK = 64 << 10
KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 25_000))
"""After how long a primary that went without a word is noticed; seconds, a number, milliseconds."""


class Primary(msgspec.Struct, frozen=True, kw_only=True):
    """Where the dock is, and how it is reached."""

    host: str
    port: int
    token: str
    tls: ssl.SSLContext | None = None


class Courier:
    """One replica's connection to its primary, remade when it breaks."""

    def __init__(self, home: Path, primary: Primary, verifier: Verifier, log: Log) -> None:
        self._home = home
        self._primary = primary
        self._verifier = verifier
        self._log = log
        self._numbers = itertools.count(1)
        self._gateways: dict[int, asyncio.StreamWriter] = {}
        self._epochs: dict[str, Dispatch] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._tried = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Raises Refused where the primary knows no replica with this token."""
        connected = asyncio.create_task(self._keep_connected())
        try:
            tried = asyncio.create_task(self._tried.wait())
            await asyncio.wait([connected, tried], timeout=FIRST_WORD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            tried.cancel()
            if connected.done():
                connected.result()
            await self._serve_gateways(connected)
        finally:
            connected.cancel()
            await asyncio.gather(connected, return_exceptions=True)
            self._hang_up()

    async def _serve_gateways(self, connected: asyncio.Task[None]) -> None:
        path = self._home / "run" / "writer.sock"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._gateway, path)
        finally:
            os.umask(before)
        try:
            async with server:
                await connected
        finally:
            self._hang_up()
            path.unlink(missing_ok=True)

    def unshipped(self) -> bool:
        """Is there a journal the dock has not all of?"""
        return any(EPOCH.fullmatch(one) for one in tail.epochs_in(self._home / "journal"))

    async def _keep_connected(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                to = self._primary
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(to.host, to.port, ssl=to.tls)
            except OSError as error:
                self._log.warning("primary away", why=str(error) or type(error).__name__)
            else:
                if await self._connected(reader, writer):
                    pause = FIRST_PAUSE
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LAST_PAUSE)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One connection, to its end; did the primary say anything?"""
        _watch(writer)
        self._writer = writer
        self._epochs.clear()
        self._send(Join(self._primary.token))
        shipping = asyncio.create_task(self._ship())
        shipping.add_done_callback(lambda _: writer.close())  # what does not ship must not look connected
        heard = False
        try:
            while True:
                self._take(decode_down(await receive(reader)))
                heard = True
                self._tried.set()
        except (OSError, EOFError, msgspec.DecodeError, BadRequest) as error:
            self._log.warning("primary lost", why=str(error))
        finally:
            self._writer = None
            shipping.cancel()
            writer.close()
            self._hang_up()
            for failed in await asyncio.gather(shipping, return_exceptions=True):
                if isinstance(failed, Exception):
                    self._log.error("shipping failed", why=str(failed))
        return heard

    def _send(self, message: Up) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(packed(message))
        return True

    def _take(self, message: Down) -> None:
        if isinstance(message, Position):
            one = self._epochs.get(message.epoch)
            if one is not None and one.answered(message):
                del self._epochs[message.epoch]
        elif isinstance(message, Snapshot):
            self._place(message)
        elif isinstance(message, Refuse):
            raise Refused(f"the primary at {self._primary.host}:{self._primary.port} has no replica with this token")
        elif isinstance(message, Reply):
            gateway = self._gateways.get(message.line)
            if gateway is not None:
                gateway.write(framed(message.data))
        else:
            gateway = self._gateways.pop(message.line, None)
            if gateway is not None:
                gateway.close()

    # Journals

    def _begin(self, epoch: str) -> bool:
        """Tell the dock of an epoch of ours, once a connection."""
        if epoch not in self._epochs:
            folder = self._home / "journal" / epoch
            if not EPOCH.fullmatch(epoch) or not folder.is_dir():
                return False
            self._epochs[epoch] = Dispatch(folder)
            self._send(Begin(epoch))
        return True

    async def _ship(self) -> None:
        while self._writer is not None:
            for epoch in tail.epochs_in(self._home / "journal"):
                self._begin(epoch)
            sent = False
            for one in list(self._epochs.values()):
                message = one.next()
                if message is not None:
                    sent = self._send(message)
            await self._writer.drain()
            await asyncio.sleep(0 if sent else LOOK_SECONDS)

    # Snapshots

    def _place(self, message: Snapshot) -> None:
        """Put a snapshot where gateways look, unless it is not signed or older than the one there."""
        if not SNAPSHOT.fullmatch(message.name):
            raise BadRequest("that is no snapshot's name")
        folder = self._home / "snapshots"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / message.name
        try:
            new = self._version(message.data)
        except FreeholdError as error:
            self._log.warning("snapshot refused", name=message.name, why=str(error))
            return
        with suppress(FileNotFoundError, FreeholdError, msgspec.DecodeError):
            if self._version(path.read_bytes()) > new:
                self._log.warning("older snapshot refused", name=message.name)
                return
        hidden = folder / f".{message.name}.courier"
        hidden.write_bytes(message.data)
        hidden.replace(path)

    def _version(self, data: bytes) -> int:
        self._verifier.verify(data[:64], data[64:])
        return msgspec.msgpack.decode(data[64:], type=Envelope).version

    # Gateways' lines

    async def _gateway(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        self._gateways[number] = writer
        try:
            hello = msgspec.msgpack.decode(await receive(reader, MAX_ASK))
            epoch = hello.get("epoch", "") if isinstance(hello, dict) and hello.get("type") == "hello" else ""
            if not isinstance(epoch, str):
                return
            while True:
                data = await receive(reader, MAX_ASK)
                # Hung up rather than kept waiting where the primary is away: the gateway asks again on a new line.
                if number not in self._gateways or not self._begin(epoch) or not self._send(Say(number, epoch, data)):
                    return
        except (OSError, EOFError, msgspec.DecodeError, BadRequest):
            pass
        finally:
            if self._gateways.pop(number, None) is not None:
                self._send(Hangup(number))
            writer.close()

    def _hang_up(self) -> None:
        for writer in self._gateways.values():
            writer.close()
        self._gateways.clear()


def _watch(writer: asyncio.StreamWriter) -> None:
    """Have the system notice a primary that is gone: a replica that is idle would else keep old rules for good."""
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):  # not every system has each
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
