"""Live traffic for the demo: the log's later calls, one after the other, sent to the gateway as the application did."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

SENDERS = 2


class Driver:
    """Sends calls at a rate, over and over from where it stopped, until it is told to stop or has none left."""

    def __init__(self, base: str, key: str, calls: Sequence[dict[str, Any]], rate: float) -> None:
        self._address = urlsplit(base)
        self._key = key
        self._calls: Iterator[dict[str, Any]] = iter(calls)
        self._pause = SENDERS / rate
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        self.sent = 0
        self.served: Counter[str] = Counter()
        """By target."""
        self.failed = 0
        self.gold: dict[str, Any] = {}
        """What a person would have answered, by the call's id in hex; of a synthetic log only."""
        self.left = True

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()

    def _next(self) -> dict[str, Any] | None:
        with self._lock:
            found = next(self._calls, None)
            self.left = found is not None
            return found

    def _send(self) -> None:
        assert self._address.hostname is not None
        line = http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=60)
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        while not self._stop.is_set():
            began = time.monotonic()
            call = self._next()
            if call is None:
                break
            line.request("POST", "/v1/chat/completions", json.dumps(call["request"]), headers)
            answer = line.getresponse()
            answer.read()
            with self._lock:
                self.sent += 1
                self.served[answer.headers.get("x-freehold-target", "none")] += 1
                self.failed += answer.status != 200
                if call.get("gold"):
                    name = answer.headers.get("x-request-id", "").removeprefix("call_")
                    self.gold[name] = said(call["gold"])
            self._stop.wait(max(0.0, self._pause - (time.monotonic() - began)))
        line.close()


def said(message: dict[str, Any]) -> Any:
    """A message as annotations hold it: its text, or its calls of tools."""
    calls = message.get("tool_calls")
    if not calls:
        return message["content"]
    told = [{"name": one["function"]["name"], "arguments": one["function"]["arguments"]} for one in calls]
    return {"text": message.get("content") or "", "tool_calls": told}
