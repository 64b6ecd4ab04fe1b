"""What a fake vendor puts on the wire: whole answers, streams, and every way in which either can go wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from dataclasses import dataclass, field

KINDS = (
    "status",  # an error status, with `headers`
    "bad_json",  # 200, and a body that is no JSON
    "short_body",  # content-length promises more than comes
    "long_body",  # more comes than content-length says
    "cut",  # the connection closes after `after` events (or half a body)
    "cut_politely",  # the same, but the chunked coding is ended properly
    "no_end",  # all content comes, the protocol's end mark does not
    "error_inside",  # 200, then the vendor's error (after `after` events)
    "stall_first",  # nothing comes until released
    "stall_mid",  # `after` events come, then nothing until released
    "slow",  # one byte at a time
    "one_write",  # everything in a single write
    "reset",  # the connection is reset as soon as the request is in
    "reset_mid",  # the same after `after` events
    "huge",  # an answer of `size` bytes
    "redirect",  # 302 to `location`
    "wrong_type",  # 200 with text/html
    "bad_chunk",  # a chunk size that is no number
    "no_length",  # neither length nor chunks: the body ends with the connection
)


@dataclass(frozen=True)
class Fault:
    """One fault; `kind` is one of KINDS."""

    kind: str
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    after: int = 2
    size: int = 1 << 20
    location: str = "http://169.254.169.254/"


@dataclass(frozen=True)
class Whole:
    """A whole answer."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    error: bytes = b'{"error":"inside"}'


@dataclass(frozen=True)
class Streamed:
    """A stream: events, then the end mark; `error` is the vendor's error event."""

    events: tuple[bytes, ...]
    end: tuple[bytes, ...]
    error: bytes
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "text/event-stream; charset=utf-8"


@dataclass
class Recorded:
    """One request as it came in, and whether its client hung up before the answer was through."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    hung_up: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Play:
    """Plays one answer, faults and all, to one client."""

    def __init__(self, writer: asyncio.StreamWriter, fault: Fault | None, release: asyncio.Event) -> None:
        self.writer = writer
        self.fault = fault
        self.kind = "" if fault is None else fault.kind
        self.release = release

    async def play(self, answer: Whole | Streamed) -> bool:
        """True where the connection may be kept."""
        if self.kind == "reset":
            return self._reset()
        if self.kind == "stall_first":
            await self.release.wait()
        if self.kind == "redirect":
            await self._whole(Whole(b"", 302, (("location", self.fault.location),)))
            return True
        return await (self._whole(answer) if isinstance(answer, Whole) else self._stream(answer))

    async def _whole(self, answer: Whole) -> bool:
        body = answer.body
        if self.kind == "bad_json":
            body = body[: len(body) // 2] + b"}}"
        elif self.kind == "error_inside":
            body = answer.error
        elif self.kind == "huge":
            body = body[:-1] + b" " * (self.fault.size - len(body)) + body[-1:]
        told = len(body) + {"short_body": 100, "long_body": -10}.get(self.kind, 0)
        kind = "text/html" if self.kind == "wrong_type" else "application/json"
        head = [("content-type", kind), *answer.headers]
        if self.kind != "no_length":
            head.append(("content-length", str(told)))
        await self._send(_head(answer.status, head))
        if self.kind in {"cut", "reset_mid"}:
            await self._send(body[: len(body) // 2])
            return self._reset() if self.kind == "reset_mid" else False
        if self.kind == "stall_mid":
            await self._send(body[: len(body) // 2])
            await self.release.wait()
            body = body[len(body) // 2 :]
        await self._send(body)
        return self.kind not in {"short_body", "long_body", "no_length"}

    async def _stream(self, answer: Streamed) -> bool:
        chunked = self.kind != "no_length"
        kind = "text/html" if self.kind == "wrong_type" else answer.kind
        head = [("content-type", kind), ("cache-control", "no-cache"), *answer.headers]
        head.append(("transfer-encoding", "chunked") if chunked else ("connection", "close"))
        await self._send(_head(200, head))
        events = list(answer.events)
        if self.kind == "bad_json":
            events[self.fault.after :] = [b"data: {]}\n\n"]
        if self.kind == "huge":
            events[1:1] = [b": " + b"x" * 1000 + b"\n\n"] * (self.fault.size // 1000)
        if self.kind == "one_write":
            events = [b"".join(events)]
        for place, event in enumerate(events):
            if (
                self.fault is not None
                and place == self.fault.after
                and (over := await self._midway(answer)) is not None
            ):
                return over
            await self._send(_chunk(event) if chunked else event)
        if self.kind != "no_end":
            for event in answer.end:
                await self._send(_chunk(event) if chunked else event)
        if chunked:
            await self._send(b"0\r\n\r\n")
        return chunked

    async def _midway(self, answer: Streamed) -> bool | None:
        """What happens after `after` events: None where the stream goes on, else whether the connection is kept."""
        if self.kind == "cut":
            return False
        if self.kind == "reset_mid":
            return self._reset()
        if self.kind == "cut_politely":
            await self._send(b"0\r\n\r\n")
            return True
        if self.kind == "error_inside":
            await self._send(_chunk(answer.error) + b"0\r\n\r\n")
            return True
        if self.kind == "bad_chunk":
            await self._send(b"xyz\r\nwhat is this\r\n")
            return False
        if self.kind == "stall_mid":
            await self.release.wait()
        return None

    async def _send(self, data: bytes) -> None:
        pieces = [data[i : i + 1] for i in range(len(data))] if self.kind == "slow" else [data]
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def _reset(self) -> bool:
        plain = self.writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        return False


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
