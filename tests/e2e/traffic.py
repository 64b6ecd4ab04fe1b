"""Callers who call one after the other for as long as it takes, and remember what each of them saw."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.e2e.instance import Instance, until


@dataclass
class Traffic:
    """Good calls as (id, target), refused ones as (status, body), and what broke off. Ids count only once seen whole."""

    instance: Instance
    model: str = "main"
    key: str | None = None
    streams: bool = False
    good: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[int, bytes]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def caller(self, seed: int) -> None:
        """One caller on a kept connection, which is opened anew where it breaks."""
        dice = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.instance.base).port, timeout=30)
        while not self.over.wait(0.02):
            try:
                self._call(connection, stream=self.streams and dice.random() < 0.5)
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(repr(error))
                connection.close()
        connection.close()

    def _call(self, connection: http.client.HTTPConnection, *, stream: bool) -> None:
        said = [{"role": "user", "content": "hello"}]
        body = json.dumps({"model": self.model, "messages": said, "max_tokens": 16, "stream": stream})
        headers = {"authorization": f"Bearer {self.key or self.instance.key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        got = answer.read()
        if answer.status != 200:
            self.refused.append((answer.status, got))
        elif stream and not got.endswith(b"data: [DONE]\n\n"):
            self.broken.append("a stream ended early")
        else:
            self.good.append((answer.headers["x-request-id"], answer.headers["x-freehold-target"]))

    def more(self, count: int) -> None:
        """Wait for so many more good calls."""
        wanted = len(self.good) + count
        until(lambda: len(self.good) >= wanted, f"{count} more calls are answered")


@contextlib.contextmanager
def traffic(made: Traffic, callers: int = 4) -> Iterator[Traffic]:
    """Keep it flowing."""
    threads = [threading.Thread(target=made.caller, args=(seed,)) for seed in range(callers)]
    for one in threads:
        one.start()
    try:
        made.more(3 * callers)
        yield made
    finally:
        made.over.set()
        for one in threads:
            one.join()
