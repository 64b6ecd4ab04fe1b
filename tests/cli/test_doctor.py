"""What doctor says of engines that were asked for and do not serve."""

from __future__ import annotations

import msgspec

from freehold.cli.doctor import _deployments
from freehold.cli.place import Place
from freehold.serving.wanted import STANDING, Standing


def test_an_engine_that_cannot_serve_is_a_failure_with_its_reason_and_its_fix(tmp_path):
    (tmp_path / "run").mkdir()
    told = (
        Standing(name="owned-good", model="m", phase="ready"),
        Standing(
            name="owned-bad", model="tickets-1", phase="failed", reason="bytes are not what is signed", log="e.log"
        ),
    )
    (tmp_path / "run" / STANDING).write_bytes(msgspec.json.encode(told))
    (found,) = _deployments(Place(None, str(tmp_path)))
    assert (found.state, found.about) == ("fail", "deployment owned-bad")
    assert "bytes are not what is signed" in found.message
    assert found.fix == "read e.log, then: freehold models deploy tickets-1 --target owned-bad"


def test_where_none_is_asked_for_nothing_is_said(tmp_path):
    assert list(_deployments(Place(None, str(tmp_path)))) == []
