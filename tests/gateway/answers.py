"""Reads what a caller got, by a strict parser that is not the gateway's own."""

from __future__ import annotations

from dataclasses import dataclass

import h11


@dataclass
class Answer:
    """One answer; `complete` is false where the connection ended first. `end` is the offset behind its last byte."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    end: int
    closes: bool = False
    """True where only the end of the connection ended the body."""

    @property
    def call(self) -> bytes:
        """The call's id, from whichever header the dialect has for it."""
        text = self.headers.get("x-request-id") or self.headers.get("request-id") or ""
        return bytes.fromhex(text.removeprefix("call_"))


def read_answers(data: bytes, methods: list[str], *, ended: bool) -> list[Answer]:
    """The answers to requests with these methods, in order. Raises AssertionError on anything that is none."""
    found: list[Answer] = []
    rest = data
    for method in methods:
        if not rest:
            return found
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(rest)
        answer, rest = _one(parser, len(data), ended=ended)
        found.append(answer)
        if not answer.complete:
            assert not rest
    assert not rest, f"more than was asked for: {rest[:200]!r}"
    return found


def _one(parser: h11.Connection, size: int, *, ended: bool) -> tuple[Answer, bytes]:
    answer = Answer(0, {}, b"", False, size)
    told_end = False
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            assert told_end, f"not HTTP: {answer}"
            return answer, b""
        if isinstance(event, h11.Response):
            answer.status = event.status_code
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            answer.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            answer.complete = True
            answer.closes = told_end
            rest = parser.trailing_data[0]
            answer.end = size - len(rest)
            return answer, rest
        elif event is h11.NEED_DATA:
            if told_end or not ended:
                return answer, b""
            told_end = True
            parser.receive_data(b"")
        elif not isinstance(event, h11.InformationalResponse):
            return answer, b""
