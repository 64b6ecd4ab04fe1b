"""Several models asked the same at once, at the gateway, as any application would; what comes back, as it comes.

Invariant: each question ends in one `end` or one `error`, and nothing that opens a door is in an event.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from freehold.core.errors import FreeholdError
from freehold.ledger.records import CallRecord
from freehold.settings.location import Endpoints

PATH = "/v1/chat/completions"
MOST_BYTES = 4 * 1024 * 1024
MOST_SECONDS = 300.0
_LINE_BYTES = 1024 * 1024
_SETTLED_SECONDS = 5.0
_PAUSE = 0.1


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What one model is asked: a route, or `target:NAME`. `headers` open the gateway: they are shown nowhere."""

    model: str
    body: bytes
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Question({self.model!r})"


class Began(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="began"):
    """The gateway takes the question. `target` is the first it went to."""

    model: str
    call: str
    target: str


class Text(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="text"):
    """A piece of the answer."""

    model: str
    text: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="end"):
    """An answer is whole. Seconds are measured where the answer is read; the rest is what the ledger says of the call,
    and None where it has not been settled yet.
    """

    model: str
    call: str
    finish: str
    seconds: float
    first_text_seconds: float | None
    target: str
    owned: bool | None = None
    label: str | None = None
    outcome: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    estimated: bool | None = None
    cost: str | None = None
    """US dollars."""
    found: dict[str, int] = {}
    """What the guard found, by detector and kind, both ways."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="error"):
    """A question came to nothing, or its answer was cut."""

    model: str
    status: int
    code: str
    message: str
    hint: str
    call: str
    seconds: float


Event = Began | Text | Ended | Failed
Settled = Callable[[str], CallRecord | None]
"""What the ledger says of a call that has ended; None where it does not know it yet."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    """One event of a stream, as far as it is shown."""

    choices: tuple[_Choice, ...] | None = None
    error: Any = None


class _Trouble(Exception):  # internal: becomes `Failed`
    def __init__(self, status: int, told: Any) -> None:
        super().__init__(status)
        told = told if isinstance(told, dict) else {}
        text = str(told.get("message") or f"the gateway answered {status}")
        self.status = status
        self.code = str(told.get("code") or "")
        self.message, _, hint = text.removesuffix(")").partition(" (hint: ")
        self.hint = str(told.get("hint") or hint)


class Talk:
    """Questions under way, each in a thread. `tell` hears every event, and None as each of them ends."""

    def __init__(
        self, door: Endpoints, settled: Settled, tell: Callable[[Event | None], None], seconds: float = MOST_SECONDS
    ) -> None:
        self._parts = urlsplit(door.gateway)
        self._certificate = door.certificate
        self._settled = settled
        self._tell = tell
        self._seconds = seconds
        self._over = threading.Event()
        self._lines: list[http.client.HTTPConnection] = []

    def begin(self, questions: Sequence[Question]) -> None:
        """Ask them all."""
        for one in questions:
            threading.Thread(target=self._run, args=(one,), daemon=True, name="playground").start()

    def hang_up(self) -> None:
        """Nobody listens any more: what is under way is cancelled at the gateway, and settled as that."""
        self._over.set()
        for one in self._lines:
            if one.sock is not None:
                with contextlib.suppress(OSError):
                    one.sock.shutdown(socket.SHUT_RDWR)

    def _run(self, question: Question) -> None:
        began = time.monotonic()
        answer = _Answer(question.model, began)
        try:
            self._tell(self._asked(question, answer))
        except _Trouble as told:
            self._tell(answer.failed(told.status, told.code, told.message, told.hint))
        except FreeholdError as error:
            self._tell(answer.failed(0, error.code, error.message, error.hint))
        except (OSError, ValueError, http.client.HTTPException, msgspec.MsgspecError):
            why = "the answer was cut" if answer.call else "the gateway does not answer"
            self._tell(answer.failed(0, "", why, "see why: freehold doctor"))
        finally:
            self._tell(None)

    def _asked(self, question: Question, answer: _Answer) -> Ended:
        line = self._line()
        self._lines.append(line)
        try:
            if self._over.is_set():
                raise ConnectionAbortedError
            line.request("POST", PATH, question.body, {**question.headers, "content-type": "application/json"})
            response = line.getresponse()
            answer.call = response.getheader("x-request-id") or ""
            answer.target = response.getheader("x-freehold-target") or ""
            if response.status != 200:
                raise _Trouble(response.status, _error_of(response.read(_LINE_BYTES)))
            self._tell(Began(model=question.model, call=answer.call, target=answer.target))
            for piece in answer.pieces(response, self._seconds):
                self._tell(Text(model=question.model, text=piece))
        finally:
            line.close()
        return answer.ended(self._row(answer.call))

    def _row(self, call: str) -> CallRecord | None:
        """The ledger's word on the call, which comes a moment after its answer."""
        end = time.monotonic() + _SETTLED_SECONDS
        while True:
            found = self._settled(call) if call else None
            if found is not None or not call or time.monotonic() >= end or self._over.wait(_PAUSE):
                return found

    def _line(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port
        if self._parts.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=self._seconds)
        context = ssl.create_default_context()
        if self._certificate:  # our own: trusted as it is, whoever issued it
            context.load_verify_locations(self._certificate)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return http.client.HTTPSConnection(host, port, timeout=self._seconds, context=context)


class _Answer:
    """One answer as it is read."""

    def __init__(self, model: str, began: float) -> None:
        self.model = model
        self.call = ""
        self.target = ""
        self._began = began
        self._finish = ""
        self._first: float | None = None
        self._took = 0.0

    def pieces(self, response: http.client.HTTPResponse, seconds: float) -> Iterator[str]:
        """Its texts. Raises _Trouble where it carries an error or does not come to its end."""
        size, ended = 0, False
        while raw := response.readline(_LINE_BYTES):  # to the very end: who leaves before is taken to have hung up
            size += len(raw)
            if size > MOST_BYTES or time.monotonic() - self._began > seconds:
                raise _Trouble(200, {"message": "the answer is longer than is read here"})
            data = raw.removeprefix(b"data:").strip()
            if not raw.startswith(b"data:") or not data:
                continue
            if data == b"[DONE]":
                ended = True
                self._took = time.monotonic() - self._began
                continue
            chunk = msgspec.json.decode(data, type=_Chunk)
            if chunk.error is not None:
                raise _Trouble(200, chunk.error)
            yield from self._texts(chunk)
        if not ended:
            raise _Trouble(200, {"message": "the answer was cut before its end"})

    def _texts(self, chunk: _Chunk) -> Iterator[str]:
        for choice in chunk.choices or ():
            self._finish = choice.finish_reason or self._finish
            piece = choice.delta.content if choice.delta else None
            if piece:
                if self._first is None:
                    self._first = time.monotonic() - self._began
                yield piece

    def failed(self, status: int, code: str, message: str, hint: str) -> Failed:
        """It came to nothing."""
        took = time.monotonic() - self._began
        return Failed(
            model=self.model,
            status=status,
            code=code,
            message=message,
            hint=hint,
            call=self.call,
            seconds=round(took, 4),
        )

    def ended(self, row: CallRecord | None) -> Ended:
        """It is whole."""
        first = None if self._first is None else round(self._first, 4)
        plain = Ended(
            model=self.model,
            call=self.call,
            finish=self._finish,
            seconds=round(self._took, 4),
            first_text_seconds=first,
            target=self.target,
        )
        if row is None:
            return plain
        return msgspec.structs.replace(
            plain,
            target=row.target,
            owned=row.owned,
            label=row.label,
            outcome=row.outcome,
            input_tokens=row.usage.input,
            output_tokens=row.usage.output,
            estimated=row.usage.estimated,
            cost=f"{row.cost:f}",
            found=_found(row),
        )


def _found(row: CallRecord) -> dict[str, int]:
    found: dict[str, int] = {}
    for side in ("request", "answer"):
        for name, count in ((row.scan or {}).get(side) or {}).get("found", {}).items():
            found[name] = found.get(name, 0) + count
    return found


def _error_of(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw, type=_Chunk).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
