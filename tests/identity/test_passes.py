"""A pass says what its instance wrote, and nothing else is a pass."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadSignature
from freehold.identity.passes import MARK, Pass, read_pass, write_pass

MINE, OTHER = Identity(b"1" * 32), Identity(b"2" * 32)
PASSES = st.builds(Pass, st.lists(st.text(), max_size=4).map(tuple), st.floats(allow_nan=False))


@given(PASSES)
def test_it_is_read_as_it_was_written_and_fits_a_header(allowed):
    told = write_pass(MINE, allowed)
    assert read_pass(told.encode(), MINE) == allowed
    assert told.isascii() and told.isprintable() and " " not in told and "~" not in told


@given(PASSES)
def test_another_instance_does_not_know_it(allowed):
    with pytest.raises(BadSignature):
        read_pass(write_pass(OTHER, allowed).encode(), MINE)


@given(PASSES, st.data())
def test_whatever_is_changed_in_it_ends_it(allowed, data):
    packed = bytearray(base64.urlsafe_b64decode(write_pass(MINE, allowed).removeprefix(MARK)))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadSignature):
        read_pass(MARK.encode() + base64.urlsafe_b64encode(packed), MINE)


@given(st.binary() | st.text().map(str.encode))
def test_nothing_else_is_one(noise):
    for told in (noise, MARK.encode() + noise, MARK.encode() + base64.urlsafe_b64encode(noise)):
        with pytest.raises(BadSignature):
            read_pass(told, MINE)


def test_what_the_identity_signs_elsewhere_is_none():
    data = b"\x92\x91\xa1*\xcb\x7f\xef\xff\xff\xff\xff\xff\xff"
    told = MARK.encode() + base64.urlsafe_b64encode(MINE.sign(data) + data)
    with pytest.raises(BadSignature):
        read_pass(told, MINE)
