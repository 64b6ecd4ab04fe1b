"""Answers that gateways share through Valkey: sealed, under digests only this instance can compute, for a time.

The second place that is looked into: memory is the first. Whatever goes wrong here is a miss, and soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import msgspec

from freehold.core.crypto import Sealer
from freehold.core.errors import BadSignature
from freehold.gateway.answer_cache import KeptAnswer
from freehold.gateway.shared.line import Away, Line, Shared
from freehold.gateway.shared.scripts import KEEP

LINES = 4
AT_ONCE = 64
"""Lookups, and answers on their way there; more are not waited for."""
REST_SECONDS = 1.0
"""How long nothing is asked of a server that did not answer."""
PUT_SECONDS = 5.0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptAnswer).decode


class SharedAnswers:
    """What one process asks of them."""

    def __init__(self, shared: Shared, prefix: bytes, sealer: Sealer, now: Callable[[], float]) -> None:
        """`now` gives Unix seconds."""
        self._shared = shared
        self._prefix = prefix
        self._sealer = sealer
        self._now = now
        self._lines = [Line(shared) for _ in range(LINES)]
        self._next = 0
        self._rests = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """May it be asked something now?"""
        return len(self._tasks) < AT_ONCE and asyncio.get_running_loop().time() >= self._rests

    def look(self, key: bytes, then: Callable[[KeptAnswer | None], None]) -> bool:
        """`then` is called with what is kept under `key`, or None, within a lookup's time. False for a miss now."""
        if self.open:
            self._begin(self._look(key, then))
            return True
        return False

    def put(self, key: bytes, answer: KeptAnswer) -> None:
        """Have it kept for as long as it may be served, in the place of what was there. Nobody waits for it."""
        if self.open:
            self._begin(self._put(key, answer))

    def _begin(self, what: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _line(self) -> Line:
        self._next = (self._next + 1) % LINES
        return self._lines[self._next]

    async def _look(self, key: bytes, then: Callable[[KeptAnswer | None], None]) -> None:
        found = None
        try:
            name = self._named(key)
            command = ("GET", self._prefix + b"answer:" + name)
            (sealed,) = await self._line().run([command], self._shared.lookup_seconds)
            if sealed is not None:
                kept = _decode(self._sealer.open(sealed, name))
                found = kept if kept.until > self._now() else None
        except Away:
            self._rest()
        except (BadSignature, msgspec.DecodeError):  # not ours, or of another version
            found = None
        finally:
            then(found)

    async def _put(self, key: bytes, answer: KeptAnswer) -> None:
        name, lasts = self._named(key), int((answer.until - self._now()) * 1000)
        if lasts <= 0:
            return
        sealed = self._sealer.seal(_encode(answer), name)
        prefix = self._prefix + b"answer:"
        keys = (prefix + name, self._prefix + b"answers", self._prefix + b"bytes")
        try:
            await self._line().script(
                KEEP, [(keys, (name, sealed, self._shared.cache_bytes, lasts, prefix))], PUT_SECONDS
            )
        except Away:
            self._rest()

    def _rest(self) -> None:
        self._rests = asyncio.get_running_loop().time() + REST_SECONDS

    def _named(self, key: bytes) -> bytes:
        return self._sealer.digest(b"shared-answer", key)

    async def end(self) -> None:
        """Hang up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._lines:
            await line.close()
