"""A client that loads an endpoint for a while: so many streams at once, each asking anew when it is answered.

Speaks OpenAI's chat protocol. Prompts are drawn words, different each time, so that no prefix cache answers for them.
"""

from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from freehold.core.errors import BadRequest, Unavailable

TIMEOUT_SECONDS = 300.0
_WORDS = ("the", "of", "river", "stone", "light", "paper", "seven", "glass", "north", "under", "cloud", "metal",
          "green", "morning", "letter", "road", "winter", "salt")  # fmt: skip


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and of whom."""

    url: str
    """Base, such as http://host:8000/v1."""
    model: str
    key: str = ""
    input_tokens: int = 512
    output_tokens: int = 128
    seed: int = 7


class Sample(msgspec.Struct, frozen=True):
    """One answer that came whole."""

    begun: float
    ended: float
    first: float
    """Moments of a monotonic clock."""
    input_tokens: int
    output_tokens: int


class Found(msgspec.Struct, frozen=True):
    """What a load found."""

    samples: tuple[Sample, ...]
    failed: int
    reason: str
    """Of the first failure."""


def load(ask: Ask, concurrency: int, requests: int, advance: Callable[[int], None]) -> Found:
    """`requests` calls, `concurrency` of them at a time; `advance` is told how many are done.

    Raises BadRequest for an address that is none, Unavailable where no call was answered.
    """
    _parts(ask.url)
    lock, left = threading.Lock(), [requests]
    samples: list[Sample] = []
    failures: list[str] = []

    def run(stream: int) -> None:
        words = random.Random(ask.seed * 1000 + stream)
        while True:
            with lock:
                if not left[0]:
                    return
                left[0] -= 1
            try:
                found: Sample | str = once(ask, words)
            except (OSError, http.client.HTTPException, ValueError) as error:
                found = str(error) or type(error).__name__
            with lock:
                if isinstance(found, Sample):
                    samples.append(found)
                else:
                    failures.append(found)
                advance(len(samples) + len(failures))

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in range(concurrency)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if not samples:
        raise Unavailable(f"{ask.url} answered none of {requests} calls: {failures[0] if failures else 'no call'}")
    return Found(tuple(samples), len(failures), failures[0] if failures else "")


def once(ask: Ask, words: random.Random) -> Sample | str:
    """One streamed call; the reason where it failed."""
    # A word and its space are nearly one token in every vocabulary; what it was is taken from the answer's usage.
    text = " ".join(words.choice(_WORDS) for _ in range(max(ask.input_tokens - 12, 1)))
    body: dict[str, Any] = {
        "model": ask.model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": ask.output_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    begun = time.monotonic()
    connection, prefix = _connection(ask.url)
    try:
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        if ask.key:
            headers["authorization"] = f"Bearer {ask.key}"
        connection.request("POST", f"{prefix}/chat/completions", json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            return f"status {answer.status}: {answer.read(300).decode('utf-8', 'replace')}"
        return _listened(answer, begun, ask)
    finally:
        connection.close()


def _listened(answer: http.client.HTTPResponse, begun: float, ask: Ask) -> Sample | str:
    first, chunks, whole = 0.0, 0, False
    used: dict[str, Any] = {}
    for line in answer:
        if not line.startswith(b"data:"):
            continue
        text = line[5:].strip()
        if text == b"[DONE]":
            whole = True
            break
        event = json.loads(text)
        if not isinstance(event, dict) or "error" in event:
            return f"an error in the stream: {text[:200].decode('utf-8', 'replace')}"
        used = event.get("usage") or used
        if any((one.get("delta") or {}).get("content") for one in event.get("choices") or ()):
            first = first or time.monotonic()
            chunks += 1
    ended = time.monotonic()
    if not whole or not chunks:
        return "the stream ended early"
    told = int(used.get("completion_tokens") or chunks)
    return Sample(begun, ended, first, int(used.get("prompt_tokens") or ask.input_tokens), told)


def _parts(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
        raise BadRequest(f"{url!r} is no address of an endpoint, such as http://host:8000/v1", param="url")
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/").removesuffix("/chat/completions")


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    scheme, host, port, prefix = _parts(url)
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS), prefix
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context), prefix
