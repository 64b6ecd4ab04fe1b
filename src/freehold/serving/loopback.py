"""Asks an engine of ours over loopback HTTP: is it well, is it idle, does it answer. Never carries a caller's call."""

from __future__ import annotations

import asyncio

LOOPBACK = "127.0.0.1"
_MOST_BYTES = 1 << 20


async def ask(port: int, path: str, *, secret: str = "", body: bytes | None = None, within: float) -> tuple[int, bytes]:
    """Status and body of one request; a POST where there is a `body`; `within` seconds.

    Raises OSError where nothing answers in time, or what answers is not HTTP.
    """
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n"
    if secret:
        head += f"Authorization: Bearer {secret}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(head.encode() + b"\r\n" + (body or b""))
                got = await _all(reader)
            finally:
                writer.close()
    except TimeoutError:
        raise OSError(f"no answer on port {port} within {within:g} s") from None
    start, _, rest = got.partition(b"\r\n\r\n")
    words = start.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise OSError(f"what answers on port {port} is not HTTP")
    return int(words[1]), rest


async def _all(reader: asyncio.StreamReader) -> bytes:
    got = bytearray()
    while len(got) < _MOST_BYTES and (data := await reader.read(1 << 16)):
        got += data
    return bytes(got)
