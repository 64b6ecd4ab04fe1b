"""One connection to Valkey, remade when it breaks. One exchange at a time, each within its time.

The client library is loaded when the first connection is made, so that who shares nothing does not pay for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from freehold.core.errors import BadConfig, FreeholdError, Unavailable

if TYPE_CHECKING:
    from valkey.asyncio.connection import Connection

SCHEMES = {"redis": False, "rediss": True, "valkey": False, "valkeys": True}
"""Which of them go over TLS."""
PORT = 6379
Command = Sequence[bytes | str | int]


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What gateways share, and where: `[valkey]` as the data plane needs it."""

    url: str
    password: Callable[[], str]
    """Asked for each time a connection is made."""
    tls_ca: str = ""
    refuses: bool = False
    """What limits do while it is away: refuse, or let each process spend its part."""
    share: int = 1
    """Processes that share, as long as the server has not said how many there are."""
    answer_seconds: float = 1.0
    lookup_seconds: float = 0.05
    cache_bytes: int = 256 << 20


class Away(Unavailable):
    """Valkey does not answer, or not as it should. Never told to callers."""

    code = "FH-AVA-009"
    hint_text = "see whether Valkey answers, and [valkey] in freehold.toml"


class Line:
    """One connection."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._loaded: set[bytes] = set()

    async def run(self, commands: Sequence[Command], seconds: float) -> list[Any]:
        """What the server answers to each, in order. Raises Away where it does not, or answers one with an error."""
        return await self._within(lambda: commands, seconds)

    async def script(self, text: str, calls: Sequence[tuple[Sequence[bytes], Command]], seconds: float) -> list[Any]:
        """What the script answers to each call, its keys and arguments. Raises Away."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode()
        commands = [("EVALSHA", digest, len(keys), *keys, *arguments) for keys, arguments in calls]

        def whole() -> Sequence[Command]:
            return commands if digest in self._loaded else [("SCRIPT", "LOAD", text), *commands]

        found = await self._within(whole, seconds)
        self._loaded.add(digest)
        return found[-len(commands) :]

    async def _within(self, commands: Callable[[], Sequence[Command]], seconds: float) -> list[Any]:
        """A connection that broke while nothing was asked, or whose server forgot its scripts, is remade once."""
        from valkey.exceptions import ConnectionError as Broken
        from valkey.exceptions import NoScriptError, ValkeyError

        try:
            async with asyncio.timeout(seconds), self._turn:
                old = self._connection is not None
                try:
                    return await self._exchange(commands())
                except (Broken, NoScriptError):
                    if not old:
                        raise
                    return await self._exchange(commands())
        except (ValkeyError, OSError, TimeoutError) as error:
            raise Away(_why(error)) from None
        except FreeholdError as error:  # no password, no authorities
            raise Away(error.message) from None

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connection
        if connection is None:
            connection = await self._connect()
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            found = [await connection.read_response() for _ in commands]
        except BaseException:  # also one that is cancelled: what is still to come would be taken for the next answer
            await self.close()
            raise
        return found

    async def _connect(self) -> Connection:
        from valkey.asyncio.connection import Connection, SSLConnection

        shared, parts = self._shared, urlsplit(self._shared.url)
        kind = SSLConnection if SCHEMES[parts.scheme] else Connection
        made: Connection = kind(
            host=parts.hostname or "localhost",
            port=parts.port or PORT,
            db=int(parts.path[1:] or 0),
            username=unquote(parts.username) if parts.username else None,
            password=shared.password() or None,
            socket_timeout=None,  # each exchange has its time, whole
            socket_keepalive=True,
            lib_name=None,
            lib_version=None,
        )
        if isinstance(made, SSLConnection):
            made.ssl_context.context = _tls(shared.tls_ca)
        self._loaded.clear()
        try:
            await made.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await made.disconnect(nowait=True)
            raise
        self._connection = made
        return made

    async def close(self) -> None:
        """Hang up; the next exchange connects anew."""
        connection, self._connection = self._connection, None
        self._loaded.clear()
        if connection is not None:
            await connection.disconnect(nowait=True)


def _tls(ca: str) -> ssl.SSLContext:
    """As the system trusts, or the named authorities alone; the server's name is checked. Raises BadConfig."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(f"the authorities in {ca} cannot be read: {error}", param="valkey.tls_ca") from None


def _why(error: Exception) -> str:
    """The server's error without the key or the user it names: those are for its own log."""
    word = str(error).partition(" ")[0]
    if word.isupper() and word.isascii():
        return f"it answers with {word}"
    return "it does not answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}"
