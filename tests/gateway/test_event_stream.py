"""Frames of the binary event stream: as botocore reads them, at any split, and never one that is not whole."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import UpstreamLied, UpstreamRefused
from freehold.gateway.assemble import assemble
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.event_stream import Frame, Frames, begins_well, encoded, event, exception
from tests.gateway.dialects.strategies import cut

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
texts = st.text(st.characters(codec="utf-8"), max_size=30)
messages = st.tuples(st.dictionaries(names, texts, max_size=4), st.binary(max_size=60))


def read(*pieces: bytes) -> list[Frame]:
    frames = Frames()
    found = [one for piece in pieces for one in frames.feed(piece)]
    frames.end()
    return found


@given(st.lists(messages, min_size=1, max_size=4), st.data())
def test_any_split_gives_the_same_frames(drawn, data):
    body = b"".join(encoded(headers.items(), payload) for headers, payload in drawn)
    found = read(*cut(data.draw, body))
    assert [(dict(one.headers), one.payload) for one in found] == drawn


@given(messages)
def test_botocore_reads_what_is_written(drawn):
    headers, payload = drawn
    buffer = EventStreamBuffer()
    buffer.add_data(encoded(headers.items(), payload))
    (found,) = list(buffer)
    assert (found.headers, found.payload) == drawn


@given(messages, st.data())
def test_a_changed_byte_is_found_out(drawn, data):
    headers, payload = drawn
    body = bytearray(encoded(headers.items(), payload))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(UpstreamLied):
        read(bytes(body))


@given(messages, st.data())
def test_a_cut_frame_is_found_out(drawn, data):
    headers, payload = drawn
    body = encoded(headers.items(), payload)
    with pytest.raises(UpstreamLied, match="inside a frame"):
        read(body[: data.draw(st.integers(1, len(body) - 1))])


@given(st.binary(max_size=80))
def test_noise_raises_our_error_alone(noise):
    try:
        read(noise)
    except UpstreamLied:
        return
    assert not noise


def checked(lines: bytes, payload: bytes = b"") -> bytes:
    prelude = struct.pack(">II", 16 + len(lines) + len(payload), len(lines))
    begun = prelude + struct.pack(">I", crc32(prelude)) + lines + payload
    return begun + struct.pack(">I", crc32(begun))


def header(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes((len(name),)) + name + bytes((kind,)) + value


def test_headers_of_every_type_are_passed_over_but_for_strings():
    others = [
        (0, b""), (1, b""), (2, b"\x01"), (3, b"\x00\x01"), (4, bytes(4)), (5, bytes(8)), (6, b"\x00\x02ab"), (8, bytes(8)), (9, bytes(16)),
    ]  # fmt: skip
    lines = b"".join(header(b"h%d" % kind, kind, value) for kind, value in others) + header(b"s", 7, b"\x00\x02hi")
    (found,) = read(checked(lines, b"payload"))
    assert (dict(found.headers), found.payload) == ({"s": "hi"}, b"payload")


@pytest.mark.parametrize(
    "lines", [header(b"x", 10, b""), header(b"x", 7, b"\x00\x09a"), header(b"x", 5, b"a"), b"\x05a", header(b"x", 7, b"\x00\x01\xff")]
)  # fmt: skip
def test_broken_headers_are_a_lie(lines):
    with pytest.raises(UpstreamLied, match="headers are broken"):
        read(checked(lines))


@pytest.mark.parametrize(("total", "lines"), [(15, 0), (16, 1), (1 << 31, 0)])
def test_an_impossible_length_is_a_lie_at_once(total, lines):
    prelude = struct.pack(">II", total, lines)
    with pytest.raises(UpstreamLied, match="impossible length"):
        Frames().feed(prelude + struct.pack(">I", crc32(prelude)))


def test_a_stream_that_begins_with_an_error_is_no_answer():
    whole = event("messageStart", b'{"role":"assistant"}')
    assert [begins_well(whole[:at]) for at in (1, 12, len(whole) - 1, len(whole))] == [False, False, False, True]
    with pytest.raises(UpstreamRefused, match="throttlingException") as caught:
        begins_well(exception("throttlingException", b"{}"))
    assert caught.value.retryable


def test_a_start_that_says_nothing_begins_what_its_delta_is():
    told = (
        ("messageStart", b'{"role":"assistant"}'),
        ("contentBlockStart", b'{"contentBlockIndex":0,"start":{}}'),
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"mild"}}'),
        ("contentBlockStop", b'{"contentBlockIndex":0}'),
        ("messageStop", b'{"stopReason":"end_turn"}'),
        ("metadata", b'{"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"metrics":{"latencyMs":1}}'),
    )
    decoder = dialect("bedrock_converse").stream_decoder()
    events = [one for kind, payload in told for one in decoder.feed(event(kind, payload))]
    (choice,) = assemble([*events, *decoder.end()]).choices
    assert [one.text for one in choice.parts] == ["mild"]
