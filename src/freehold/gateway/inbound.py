"""The head of a caller's last request, to know the next one by: clients send the same bytes again and again.

Invariant: `again` gives what the parser would give, or nothing. Only heads the parser accepted are remembered, and one
is the same when all its bytes are but the digits of its one content length.
"""

from __future__ import annotations

import re

MOST_MISSES = 4
"""Requests in a row with another head, after which a connection's heads are no longer looked at."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


class Inbound:
    """One request as it came. `headers` holds the wanted ones, names in lower case."""

    __slots__ = ("body", "headers", "http11", "keep_alive", "method", "url")

    def __init__(
        self, method: bytes, url: bytes, headers: dict[bytes, bytes], body: bytes, keep_alive: bool, http11: bool
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive
        self.http11 = http11


class SameHead:
    """One head, in front of and behind the digits of its length."""

    def __init__(self, before: bytes, behind: bytes, first: Inbound) -> None:
        self._before = before
        self._behind = behind
        self._method = first.method
        self._url = first.url
        self._headers = first.headers
        self.host = first.headers.get(b"host")

    def again(self, data: bytes, most: int) -> Inbound | None:
        """The request in `data`, where that is this head and the whole of a body of at most `most` bytes."""
        before, behind = self._before, self._behind
        if not data.startswith(before):
            return None
        at = len(before)
        end = data.find(b"\r", at, at + 10)
        if end <= at or not data.startswith(behind, end):
            return None
        digits = data[at:end]
        if not digits.isdigit():
            return None
        size, start = int(digits), end + len(behind)
        if size > most or len(data) - start != size:
            return None
        headers = dict(self._headers)
        headers[b"content-length"] = digits
        return Inbound(self._method, self._url, headers, data[start:], True, True)


def remembered(data: bytes, parsed: Inbound) -> SameHead | None:
    """The head of `data`, which the parser read as this one request and nothing else; None where it cannot be known by.

    Left alone are requests with chunks, an upgrade or an expectation, and the last ones of their connections.
    """
    headers = parsed.headers
    if not (parsed.keep_alive and parsed.http11):
        return None
    if b"transfer-encoding" in headers or b"upgrade" in headers or b"expect" in headers:
        return None
    split = len(data) - len(parsed.body)
    head = data[:split]
    if head.find(b"\r\n\r\n") != split - 4:
        return None
    found = _LENGTH.findall(head)
    if len(found) != 1 or int(found[0]) != len(parsed.body):
        return None
    place = _LENGTH.search(head)
    assert place is not None
    return SameHead(head[: place.start(1)], head[place.end(1) :], parsed)
