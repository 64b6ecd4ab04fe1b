"""What makes two requests the same, and that memory is bounded whatever is kept."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.answer_cache import ASIDE, ENTRY_BYTES, LARGEST, AnswerCache, KeptAnswer, key_of
from freehold.ledger.meter import Usage

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
requests = st.dictionaries(st.sampled_from(["model", "messages", "temperature", "seed", "x"]), plain, max_size=5)


def kept(size: int, until: float = 100.0) -> KeptAnswer:
    return KeptAnswer(b"x" * size, "a", Usage(), Decimal(0), (), 0.0, until)


def shuffled(value: Any) -> Any:
    """The same value with members the other way round."""
    if isinstance(value, dict):
        return {name: shuffled(each) for name, each in reversed(value.items())}
    return [shuffled(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=80)
@given(requests, st.sampled_from(sorted(ASIDE)), plain)
def test_order_space_and_who_asks_make_no_difference(request: dict[str, Any], aside: str, value: Any) -> None:
    key = key_of(json.dumps(request).encode())
    assert key is not None
    assert key_of(json.dumps(shuffled(request), indent=3).encode()) == key
    assert key_of(json.dumps({**request, aside: value}).encode()) == key


@settings(max_examples=80)
@given(requests, requests, st.integers(0, 1))
def test_what_differs_in_anything_has_another_key(one: dict[str, Any], other: dict[str, Any], more: int) -> None:
    first, second = json.dumps(one, sort_keys=True), json.dumps(other, sort_keys=True)
    assert (key_of(first.encode(), 0) == key_of(second.encode(), more)) == (first == second and not more)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"x":1}', b'{"x":"1"}'),
        (b'{"x":1}', b'{"x":1.0}'),
        (b'{"x":1e400}', b'{"x":2e400}'),
        (b'{"x":0.1}', b'{"x":0.10000000000000000001}'),
        (b'{"x":1}', b'{"x":["#","1"]}'),
        (b'{"x":null}', b'{"x":false}'),
        (b'{"x":{}}', b'{"x":[]}'),
        (b'{"x":[["a",1]]}', b'{"x":{"a":1}}'),
        (b'{"x":1,"x":2}', b'{"x":2,"x":1}'),
        (b'{"x":1,"x":2}', b'{"x":2}'),
        (b'{"x":"\\ud800"}', b'{"x":"\\\\ud800"}'),
    ],
)
def test_what_some_reader_may_tell_apart_is_not_the_same(one: bytes, other: bytes) -> None:
    assert key_of(one) != key_of(other)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"])
def test_what_cannot_be_read_has_no_key(body: bytes) -> None:
    assert key_of(body) is None


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "get", "sweep"]), st.integers(0, 6), st.integers(0, 4000), st.integers(0, 50)
        ),
        max_size=60,
    )
)
def test_memory_is_bounded_and_time_ends_it(steps: list[tuple[str, int, int, int]]) -> None:
    cache = AnswerCache(20_000)
    model: dict[bytes, KeptAnswer] = {}
    for now, (what, number, size, later) in enumerate(steps):
        key = bytes([number])
        if what == "put":
            cache.put(key, kept(size, now + later))
            if (size + ENTRY_BYTES) * LARGEST <= 20_000:
                model[key] = kept(size, now + later)
        elif what == "get":
            found = cache.get(key, now)
            assert found is None or (found == model[key] and found.until > now)
        else:
            cache.sweep(now)
        assert 0 <= cache.bytes <= 20_000
    cache.sweep(10_000)
    assert len(cache) == cache.bytes == 0


def test_who_was_served_least_recently_makes_room() -> None:
    cache = AnswerCache(10 * (1000 + ENTRY_BYTES))
    for number in range(10):
        cache.put(bytes([number]), kept(1000))
    assert cache.get(b"\x00", 1.0) is not None
    cache.put(b"new", kept(1000))
    assert cache.get(b"\x01", 1.0) is None and cache.get(b"\x00", 1.0) is not None


def test_no_single_answer_fills_it_and_no_memory_is_no_cache() -> None:
    cache = AnswerCache(20_000)
    cache.put(b"a", kept(10_000))
    assert len(cache) == 0
    nothing = AnswerCache(0)
    nothing.put(b"a", kept(1))
    assert len(nothing) == 0 and nothing.get(b"a", 0.0) is None
