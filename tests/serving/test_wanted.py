"""Wishes outlive processes; a name is checked before it becomes a file; readiness is of this very wish."""

from __future__ import annotations

import stat

import msgspec
import pytest

from freehold.core.errors import BadRequest, NotFound, Unavailable
from freehold.serving.deployments import Deployment, write_down
from freehold.serving.wanted import STANDING, Standing, Wanted, listed, ready, standing, unwant, wait_ready, want

WISH = Wanted(name="owned-tickets", model="tickets-1")


def stand(home, phase, **given):
    stamp = listed(home)["owned-tickets"][1]
    one = Standing(**{"name": "owned-tickets", "model": "tickets-1", "phase": phase, "stamp": stamp, **given})
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / STANDING).write_bytes(msgspec.json.encode((one,)))


def serve(home, model="tickets-1"):
    one = Deployment(
        name="owned-tickets", kind="classifier", model=model, port=1, secret_path="", threads=1, context=1, slots=1
    )
    write_down(home / "run", (one,))
    return one


def test_a_wish_is_a_private_file_that_unwanting_takes_away(tmp_path):
    want(tmp_path, WISH)
    assert listed(tmp_path)["owned-tickets"][0] == WISH
    assert stat.S_IMODE((tmp_path / "deployments" / "owned-tickets.json").stat().st_mode) == 0o600
    assert unwant(tmp_path, "owned-tickets")
    assert not unwant(tmp_path, "owned-tickets")
    assert listed(tmp_path) == {}


@pytest.mark.parametrize(
    "name",
    ["tickets", "owned-", "owned-../x", "owned-A", "owned-chat", "owned-embed", "owned-x\n", "owned-" + "x" * 60],
)
def test_a_name_that_no_target_may_have_becomes_no_file(tmp_path, name):
    with pytest.raises(BadRequest):
        want(tmp_path, msgspec.structs.replace(WISH, name=name))
    assert not (tmp_path / "deployments").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name":"owned-other","model":"m"}', b"\xff"])
def test_a_file_that_is_no_wish_is_told_and_hides_no_other(tmp_path, content):
    want(tmp_path, WISH)
    (tmp_path / "deployments" / "owned-bad.json").write_bytes(content)
    found = listed(tmp_path)
    assert found["owned-bad"][0] is None
    assert found["owned-tickets"][0] == WISH


def test_it_is_ready_when_calls_reach_the_model_that_is_wanted(tmp_path):
    want(tmp_path, WISH)
    assert ready(tmp_path, "owned-tickets") is None
    made = serve(tmp_path)
    assert ready(tmp_path, "owned-tickets") is None
    stand(tmp_path, "ready")
    assert ready(tmp_path, "owned-tickets") == made
    want(tmp_path, msgspec.structs.replace(WISH, model="tickets-2"))
    assert ready(tmp_path, "owned-tickets") is None


def test_a_failure_is_told_with_its_reason_and_an_old_one_is_not(tmp_path):
    want(tmp_path, WISH)
    stand(tmp_path, "failed", reason="no such model", stamp=1)
    clock = iter(range(100))
    with pytest.raises(Unavailable, match="not ready"):
        wait_ready(tmp_path, "owned-tickets", 5, clock=lambda: next(clock), sleep=lambda _: None)
    stand(tmp_path, "failed", reason="no such model")
    with pytest.raises(Unavailable, match="no such model"):
        wait_ready(tmp_path, "owned-tickets", 5)


def test_waiting_ends_when_it_is_ready_or_wanted_no_more(tmp_path):
    made = []

    def then(_seconds):
        made.append(serve(tmp_path))
        stand(tmp_path, "ready")

    want(tmp_path, WISH)
    assert wait_ready(tmp_path, "owned-tickets", 5, sleep=then) == made[0]
    unwant(tmp_path, "owned-tickets")
    with pytest.raises(NotFound):
        wait_ready(tmp_path, "owned-tickets", 5)


def test_where_no_instance_runs_nothing_stands(tmp_path):
    assert standing(tmp_path) == ()
