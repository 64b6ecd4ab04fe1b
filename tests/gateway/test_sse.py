"""Server-sent events as the standard reads them (WHATWG HTML, section 9.2), at any split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import UpstreamLied
from freehold.gateway import sse
from freehold.gateway.sse import Events, event_of, payloads


def read(pieces: list[bytes]) -> list[bytes]:
    events = Events()
    return [one for piece in pieces for one in events.feed(piece)] + events.end()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\n\r\ndata: b\r\n\n", [b"a", b"b"]),
        (b": comment\n\ndata: a\n: another\n\n", [b"a"]),
        (b"event: x\nid: 7\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"event: only\n\n", []),
        (b"dataset: a\n\n", []),
        (b"data: a", [b"a"]),
        (b"data: a\n\ndata: b\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
    ],
)
def test_what_is_legal_is_read(body, expected):
    assert read([body]) == expected
    assert read([bytes([one]) for one in body]) == expected


lines = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data: c\rdata: d",
        b": x",
        b"event: y",
        b"",
        b"data",
        b"data: \xc3\xa9",
        b"\r",
        b"\xef\xbb\xbfdata: e",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    body=st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"])), max_size=8),
    places=st.lists(st.integers(0, 120), max_size=5),
)
def test_any_split_reads_the_same(body, places):
    whole = b"".join(line + end for line, end in body)
    edges = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    assert read([whole[a:b] for a, b in itertools.pairwise(edges)]) == read([whole])


def test_an_event_is_read_as_soon_as_it_is_whole():
    events = Events()
    assert events.feed(b"data: a\n\nda") == [b"a"]
    assert events.feed(b"ta: b\n") == []
    assert events.feed(b"\n") == [b"b"]


def test_an_event_that_outgrows_memory_is_a_lie(monkeypatch):
    monkeypatch.setattr(sse, "MOST_BYTES", 100)
    events = Events()
    events.feed(b"data: " + b"x" * 90)
    with pytest.raises(UpstreamLied):
        events.feed(b"x" * 20)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_what_is_written_is_one_event(data):
    body = event_of(data, "name")
    assert body.count(b"\n\n") == 1
    assert payloads(body) == [data.replace(b"\n", b" ").replace(b"\r", b" ")]
