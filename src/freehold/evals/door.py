"""The door: how evaluations, judges and shadows ask models, which is over HTTP through the gateway like anyone.

Invariant: what fails on the model's side comes back as a reply with an error; what fails on ours raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Self

import msgspec

from freehold.evals.errors import DoorClosed, DoorRefused
from freehold.evals.wire import Heard, Line, Silent
from freehold.grading.types import Answer
from freehold.ledger.meter import Usage
from freehold.workflows.exchange import answer_of

TIMEOUT_SECONDS = 120.0
TRIES = 4
_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_OURS = ("FH-KEY", "FH-NOT")
"""Codes that blame the evaluation's own key or target."""
_LATER = ("FH-LIM", "FH-AVA")
"""Codes that say: not now."""

UNASKABLE = "unaskable"
"""The error of a recorded request that is no request; nobody was asked."""

Asked = tuple[str, bytes, str, str]
"""Target, request, label, workflow."""
Pause = Callable[[float], None]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking. `answer` is None where there is none, and `error` then says why."""

    answer: Answer | None = None
    status: int = 0
    """Of HTTP; 0 where nothing came back."""
    error: str = ""
    """`timeout`, `cut`, or the gateway's code (FH-...) and message."""
    latency: float = 0.0
    """Seconds until the last byte."""
    first_token: float | None = None
    """Unknown: evaluations do not stream."""
    cost: Decimal | None = None
    """US dollars, as the gateway told; None where it did not."""
    usage: Usage = Usage()
    target: str = ""
    """Which target served it, as the gateway told."""
    composite: str = ""
    """Of a composite: `served` by a member, or `escalated`."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a door asks."""

    workers: int = 8
    """Calls under way at a time."""
    again: int = 0
    """How often a model that fails in a way that may pass (silence, a cut answer, 5xx) is asked once more."""
    purpose: str = "evaluation"
    """`evaluation`, `shadow` or `judge`."""
    most_output: int = 0
    """Tokens an answer may have where the request names no bound; 0 for none. A small model may never stop."""


class Door:
    """Asks through one gateway with one service key, from several threads."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        certificate: str = "",
        manner: Manner | None = None,
        pause: Pause = time.sleep,
    ) -> None:
        self._line = Line(base_url, certificate)
        self._key = key
        self._manner = manner or Manner()
        self._pause = pause

    def __enter__(self) -> Self:
        """For whoever needs it for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """As `close`."""
        self.close()

    def bounded(self, most_output: int) -> Door:
        """The same door, whose answers have at most so many tokens where the request names no bound."""
        made = copy(self)
        made._manner = msgspec.structs.replace(self._manner, most_output=most_output)  # noqa: SLF001  its own kind
        return made

    def close(self) -> None:
        """Close idle connections; it can still be asked afterwards."""
        self._line.close()

    def ask(
        self, model: str, request: bytes, label: str, workflow: str = "", timeout: float = TIMEOUT_SECONDS
    ) -> Reply:
        """Ask one target (`route:NAME` asks a route). Never streams.

        A model that fails, hangs or lies gives a reply with an error. Raises DoorClosed where the gateway itself does
        not answer, or has no room now, after several tries; DoorRefused where it does not know our key or the target.
        """
        body = _body(model, request, self._manner.most_output)
        if body is None:
            return Reply(error=UNASKABLE)
        headers = {**self._headers(label), "x-freehold-purpose": self._manner.purpose}
        if workflow:
            headers["x-freehold-workflow"] = workflow
        for number in range(self._manner.again + 1):
            reply = self._once(body, headers, timeout)
            if reply.answer is not None or 0 < reply.status < 500:
                break
            if number < self._manner.again:
                self._pause(_PAUSE * 2**number)
        return reply

    def ask_all(
        self,
        asked: Iterable[Asked],
        progress: Callable[[int], None] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Iterator[Reply]:
        """Replies in the order asked, several under way at a time; `progress` is told how many are done.

        No more is read of `asked` than is under way. Raises as `ask`; what was under way is then awaited and dropped.
        """
        source = iter(asked)
        with ThreadPoolExecutor(self._manner.workers, thread_name_prefix="door") as pool:

            def send(one: Asked) -> Future[Reply]:
                return pool.submit(self.ask, one[0], one[1], one[2], one[3], timeout)

            waiting = [send(one) for one in islice(source, 2 * self._manner.workers)]
            done = 0
            try:
                while waiting:
                    reply = waiting.pop(0).result()
                    waiting += [send(one) for one in islice(source, 1)]
                    done += 1
                    if progress is not None:
                        progress(done)
                    yield reply
            finally:
                for one in waiting:
                    one.cancel()

    def _headers(self, label: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self._key}",
            "content-type": "application/json",
            "x-freehold-label": label,
        }

    def _once(self, body: bytes, headers: dict[str, str], timeout: float) -> Reply:
        """One answer or failure of the model's; waits out what is the gateway's own. Raises DoorClosed, DoorRefused."""
        trouble = ""
        for number in range(TRIES):
            began = time.monotonic()
            try:
                heard = self._line.post("/v1/chat/completions", body, headers, timeout)
            except Silent as silent:
                if silent.kind != "unreachable":
                    return Reply(error=silent.kind, latency=time.monotonic() - began)
                trouble, wait = "the gateway does not answer", float(_PAUSE * 2**number)
            else:
                reply = _reply(heard, time.monotonic() - began)
                if reply.error.startswith(_OURS):
                    raise DoorRefused(f"the gateway refuses the evaluation's call: {reply.error}")
                if not reply.error.startswith(_LATER):
                    return reply
                trouble, wait = f"the gateway says {reply.error}", _wait(heard, number)
            if number + 1 < TRIES:
                self._pause(min(wait, _LONGEST_PAUSE))
        raise DoorClosed(trouble)

    def embed(self, model: str, text: str, label: str) -> Sequence[float]:
        """The embedding of a text, for the grader `embedding`. Raises DoorClosed where there is none."""
        body = msgspec.json.encode({"model": name_of(model), "input": text})
        try:
            heard = self._line.post("/v1/embeddings", body, self._headers(label), TIMEOUT_SECONDS)
            found = msgspec.json.decode(heard.body)["data"][0]["embedding"]
        except (Silent, msgspec.DecodeError, LookupError, TypeError):
            raise DoorClosed(f"{model} gives no embedding") from None
        if not isinstance(found, list) or not all(isinstance(one, int | float) for one in found):
            raise DoorClosed(f"{model} gives no embedding")
        return [float(one) for one in found]


def name_of(model: str) -> str:
    """What a request calls it: `target:NAME`, or a route's name."""
    if model.startswith("route:"):
        return model.removeprefix("route:")
    return model if model.startswith("target:") else f"target:{model}"


def _body(model: str, request: bytes, most_output: int = 0) -> bytes | None:
    try:
        found = msgspec.json.decode(request)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    for one in ("stream", "stream_options"):
        found.pop(one, None)
    if most_output and not any(found.get(one) for one in ("max_tokens", "max_completion_tokens")):
        found["max_tokens"] = most_output
    return msgspec.json.encode({**found, "model": name_of(model)})


def _reply(heard: Heard, took: float) -> Reply:
    shared: dict[str, Any] = {
        "status": heard.status,
        "latency": took,
        "cost": _cost(heard.headers.get("x-freehold-cost", "")),
        "target": heard.headers.get("x-freehold-target", ""),
        "composite": heard.headers.get("x-freehold-composite", ""),
    }
    try:
        found = msgspec.json.decode(heard.body)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if heard.status != 200:
        return Reply(error=_error(heard, found), **shared)
    answer = answer_of(heard.body)
    if not isinstance(found, dict) or not isinstance(found.get("choices"), list) or not found["choices"]:
        return Reply(error="lied: no chat completion", **shared)
    return Reply(answer=answer, usage=_usage(found.get("usage")), **shared)


def _error(heard: Heard, found: Any) -> str:
    error = found.get("error") if isinstance(found, dict) else None
    code = heard.headers.get("x-freehold-error", "")
    message = str(error.get("message", "")) if isinstance(error, dict) else ""
    return f"{code or heard.status} {message[:300]}".strip()


def _cost(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _usage(found: Any) -> Usage:
    if not isinstance(found, dict):
        return Usage(estimated=True)

    def count(name: str) -> int:
        value = found.get(name)
        return value if isinstance(value, int) and value >= 0 else 0

    return Usage(input=count("prompt_tokens"), output=count("completion_tokens"))


def _wait(heard: Heard, number: int) -> float:
    try:
        return max(0.0, float(heard.headers.get("retry-after", "")))
    except ValueError:
        return float(_PAUSE * 2**number)
