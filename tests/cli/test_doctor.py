"""What doctor says of engines that were asked for and do not serve."""

from __future__ import annotations

import time

import msgspec
import pytest

from freehold.cli.doctor import _deployments, _vouched
from freehold.cli.place import Place
from freehold.core.crypto import Identity
from freehold.core.errors import FreeholdError
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store
from freehold.registry.offers import Review, Rules
from freehold.serving.wanted import STANDING, Standing
from tests.registry.test_admission import folder, looked, offer  # noqa: F401  a fixture


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


def test_models_that_wait_and_words_that_run_out_are_told(tmp_path, folder):  # noqa: F811
    home = tmp_path / "home"
    place = Place(None, str(home))
    assert list(_vouched(place)) == []
    home.mkdir()
    store = Store(home / "store", Identity.load(home / "identity.key"))
    way = Admission(store, looked, Rules())
    way.take(folder, offer(name="plain"))
    assert list(_vouched(place)) == []
    (folder / "more.json").write_text("odd")
    now = time.time()
    way.take(folder, offer(name="soon"), review=Review("ada", now + 86400))
    way.take(folder, offer(name="later"), review=Review("ada", now + 90 * 86400))
    Admission(store, looked, Rules(), lambda: 0.0).take(folder, offer(name="over"), review=Review("ada", 60.0))
    with pytest.raises(FreeholdError):
        way.take(folder, offer(name="waits"))
    found = {one.about: one for one in _vouched(place)}
    assert {about: one.state for about, one in found.items()} == {
        "model over": "fail",
        "model soon": "warn",
        "model waits": "warn",
    }
    assert "models review over" in found["model over"].fix
