"""Ids are unique, sort by time, and say when they were made."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.ids import IdMaker, as_text, from_text, when

TIMES = st.floats(0, 4e9)


@given(st.lists(TIMES, min_size=2, max_size=50))
def test_ids_sort_by_the_millisecond_they_were_made_in(times: list[float]) -> None:
    clock = iter(sorted(times))
    make = IdMaker(lambda: next(clock))
    made = [make() for _ in times]
    stamps = [one[:6] for one in made]
    assert stamps == sorted(stamps)
    assert all(abs(when(one) - at) <= 0.001 for one, at in zip(made, sorted(times), strict=True))


@given(st.binary(min_size=5, max_size=5), st.binary(min_size=4, max_size=4), st.integers(2, 300))
def test_ids_of_one_maker_never_repeat_and_grow_within_a_millisecond(stem: bytes, count: bytes, many: int) -> None:
    parts = iter([stem, count])
    make = IdMaker(lambda: 1.0, lambda size: next(parts))
    made = [make() for _ in range(many)]
    assert len(set(made)) == many
    assert made == sorted(made)
    assert {len(one) for one in made} == {16}


def test_two_makers_do_not_meet() -> None:
    one, other = IdMaker(lambda: 1.0), IdMaker(lambda: 1.0)
    assert not {one() for _ in range(1000)} & {other() for _ in range(1000)}


@given(st.binary(min_size=16, max_size=16), st.sampled_from(["call", "key", "job"]))
def test_text_form_reads_back(raw: bytes, prefix: str) -> None:
    assert from_text(as_text(prefix, raw)) == raw


@given(st.text(max_size=40))
def test_what_is_no_id_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert len(from_text(text)) == 16


def test_a_short_id_is_refused() -> None:
    with pytest.raises(ValueError, match="no id"):
        from_text("call_00ff")
