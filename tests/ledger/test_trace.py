"""A call's trace: kept with its row, and of no weight for what was stored before there were any."""

from __future__ import annotations

import msgspec
import pytest

from freehold.core.db import reading
from freehold.ledger import store
from freehold.ledger.audit.rowsum import row_sum
from freehold.ledger.frames import Open, Refused
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, call_id, closed, opened, refused

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("0a")
    yield made
    made.close()


def test_it_is_stored_and_part_of_what_is_vouched_for(home):
    home.write("0a", opened(1, trace=TRACE), closed(1), refused(2, trace=TRACE), opened(3), closed(3))
    load_once(home.path, home.engine, home.keys, clock=lambda: START + 60)
    with reading(home.engine) as connection:
        told = [store.show_call(connection, f"call_{call_id(number).hex()}").call.trace for number in (1, 2, 3)]
        traced, tried = store.call_rows(connection, call_id(1))
        plain, tried_plain = store.call_rows(connection, call_id(3))
    assert told == [TRACE, TRACE, ""]
    assert row_sum({**traced, "trace": ""}, tried) != row_sum(traced, tried)
    assert row_sum({**plain, "trace": None}, tried_plain) == row_sum(plain, tried_plain)


def test_frames_of_before_are_read(home):
    for frame, kind in ((opened(1), Open), (refused(1), Refused)):
        old = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(frame))[:-1])
        assert msgspec.msgpack.decode(old, type=kind) == frame
