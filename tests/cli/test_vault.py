"""Stand-ins from end to end: what the vendor reads, what the caller gets, and the end of a team's key."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import Running, config
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.replies import Reply

MAIL = "ann.smith@acme.example"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with FakeOpenAi() as vendor:
        made = Running(tmp_path_factory.mktemp("instance"), vendor)
        made.config.write_text(config(vendor, 'guard = "pseudonymise"'))
        made.start()
        yield made
        made.stop()


def asked(guarded):
    """What the vendor read in place of the address, and the answer to a call that speaks of it."""
    told = guarded("chat", "--route", "assistant", "--json", f"Write to {MAIL}!")
    assert told.code == 0, told.err + guarded.logs()
    body = guarded.vendor.last.body.decode()
    assert MAIL not in body
    return re.search(r"[\w.]+@example\.invalid", body)[0], told


def test_an_erased_key_gives_other_stand_ins_from_the_next_call_on(guarded):
    assert guarded("vault", "list", "--json").json == []
    first, _ = asked(guarded)
    assert asked(guarded)[0] == first
    (held,) = guarded("vault", "list", "--json").json
    assert guarded("vault", "erase", held["tenant"]).code == 2, "a reason is due"
    erased = guarded("vault", "erase", held["tenant"], "--why", "the contract ended")
    assert erased.code == 0 and erased.out.strip() == held["tenant"]
    assert guarded("vault", "list", "--json").json == []
    assert asked(guarded)[0] != first
    assert guarded("vault", "erase", "nobody", "--why", "x").code == 1


def test_the_caller_gets_what_the_stand_in_stands_for(guarded):
    stand_in, _ = asked(guarded)
    guarded.vendor.say(Reply(text=f"Done, {stand_in} got it."))
    _, told = asked(guarded)
    assert f"Done, {MAIL} got it." in told.out
    assert stand_in not in told.out
    assert MAIL not in guarded.logs()
