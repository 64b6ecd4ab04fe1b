from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.workflows.documents import WRAPPERS, Broken, Documents

VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", '\\"', "[", "}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def read(data: bytes, size: int = 7, longest: int = 1 << 20):
    return list(Documents(iter(cut(data, size)), longest).elements())


def values(data: bytes, size: int = 7):
    return [json.loads(one.raw) for one in read(data, size)]


@given(st.lists(VALUE, max_size=6), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_an_array_gives_its_elements_however_its_bytes_come(elements, size, indent, escaped):
    data = json.dumps(elements, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert values(data, size) == elements


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUE, max_size=3), max_size=4), st.integers(1, 9))
def test_objects_that_wrap_nothing_are_elements_themselves(objects, size):
    data = "\n".join(json.dumps(one) for one in objects).encode()
    assert values(data, size) == objects


@pytest.mark.parametrize("name", sorted(WRAPPERS - {"log", "hits", "result"}))
def test_wrapped_arrays_are_gone_into(name):
    whole = {"object": "list", name: [{"a": 1}, {"b": [2]}], "has_more": False}
    assert values(json.dumps(whole, indent=1).encode()) == [{"a": 1}, {"b": [2]}]


def test_wrappers_in_wrappers_are_gone_into_and_say_where_spans_come_from():
    whole = {"resourceSpans": [{"resource": {"x": 1}, "scopeSpans": [{"scope": {}, "spans": [{"a": 1}, {"a": 2}]}]}]}
    found = read(json.dumps(whole).encode())
    assert [json.loads(one.raw) for one in found] == [{"a": 1}, {"a": 2}]
    assert all(one.context == {"resource": {"x": 1}} for one in found)
    assert values(json.dumps({"log": {"version": "1", "entries": [1, 2]}}).encode()) == [1, 2]


def test_things_under_their_ids_are_elements_with_that_key():
    found = read(b'{"chatcmpl-1": {"data": []}, "chatcmpl-2": {"data": [1]}}')
    assert [(one.key, json.loads(one.raw)) for one in found] == [
        ("chatcmpl-1", {"data": []}),
        ("chatcmpl-2", {"data": [1]}),
    ]


def test_a_comma_too_many_is_no_harm():
    assert values(b'[{"a":1},\n{"a":2},\n]') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("inside", ['"%s"', '{"a": "%s"}', '[["%s"]]'])
def test_what_is_too_long_is_left_out_and_what_follows_is_read(inside):
    data = f"[1, {inside % ('x' * 5000)}, {inside % (chr(92) + chr(34)) * 1}, 2]".encode()
    found = read(data, size=64, longest=1000)
    assert [one.raw is None for one in found] == [False, True, False, False]
    assert found[-1].raw == b"2"


def test_an_object_of_its_own_that_is_too_long_is_left_out():
    long = json.dumps({f"k{number}": "x" * 100 for number in range(50)})
    found = read(f'{long}\n{{"a": 1}}'.encode(), size=64, longest=1000)
    assert [one.raw for one in found] == [None, b'{"a":1}']


@pytest.mark.parametrize(
    "data", [b"[1, 2", b'{"data": [1, 2', b'{"data": [1, 2, {"a": "b', b'[1, 2, "', b'{"data": [1, 2], "x": tr']
)
def test_a_document_that_is_cut_gives_what_stands_before_and_says_so(data):
    found = []
    with contextlib.suppress(Broken):
        found += [None]
        for one in Documents(iter(cut(data, 3))).elements():
            found[-1:] = [one.raw, None]  # the mark behind the last stays where reading never came to an end
        found.pop()
    assert found in ([b"1", b"2", None], [b"1", None])


@given(st.binary(max_size=60), st.integers(1, 9))
def test_any_bytes_end_in_elements_or_are_broken(data, size):
    with contextlib.suppress(Broken):
        read(data, size, longest=16)


@given(st.text(alphabet='{}[]",:\\ ab1', max_size=40), st.integers(1, 5))
def test_any_brackets_end_too(text, size):
    try:
        found = read(b'{"data":[' + text.encode(), size, longest=8)
    except Broken:
        return
    assert isinstance(found, list)
