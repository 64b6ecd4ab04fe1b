"""A fake vendor for benchmarks: OpenAI's chat completions, whose streams last a second. Every answer is alike."""

from __future__ import annotations

import asyncio
import json
import threading
from types import TracebackType
from typing import Self

INPUT, OUTPUT = 10, 20
"""Tokens of every call, as it says."""
GAP_SECONDS = 0.05
_BASE = {"id": "chatcmpl-paced", "created": 1_790_000_000, "model": "gpt-fake"}
_USAGE = {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT}


class PacedVendor:
    """Listens on loopback while it is entered."""

    key = "sk-fake-paced"

    def __init__(self) -> None:
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                asked = json.loads(await reader.readexactly(size))
                await (self._stream(writer) if asked.get("stream") else self._whole(writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _whole(self, writer: asyncio.StreamWriter) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": "a " * OUTPUT}, "finish_reason": "stop"}
        body = json.dumps({**_BASE, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(OUTPUT):
            delta = {"content": "a ", **({"role": "assistant"} if not number else {})}
            _event(writer, choices=[{"index": 0, "delta": delta, "finish_reason": None}])
            await writer.drain()
            await asyncio.sleep(GAP_SECONDS)
        _event(writer, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        _event(writer, choices=[], usage=_USAGE)
        _chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _event(writer: asyncio.StreamWriter, **more: object) -> None:
    _chunk(writer, b"data: " + json.dumps({**_BASE, "object": "chat.completion.chunk", **more}).encode() + b"\n\n")


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
