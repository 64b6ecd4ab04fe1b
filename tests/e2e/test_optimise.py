"""A model is made smaller, served, graded and timed in a whole instance, and what was found is signed."""

from __future__ import annotations

import json

import pytest

from freehold.core.crypto import Identity
from freehold.registry.artefacts import Store
from tests.e2e.instance import Vendors, running, until
from tests.e2e.moving import CONFIG, Office, Rented, Task
from tests.fakes.fake_anthropic import FakeAnthropic

MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("optimise")
    with Rented() as openai, FakeAnthropic() as anthropic:
        fakes = Vendors(openai, anthropic)
        with running(folder, CONFIG, fakes, owned=True) as instance:
            yield instance, openai


def found(instance, order):
    """What the job comes to, and its cell."""
    made = instance.api(f"/api/models/{MODEL}/optimise", order)
    assert made.status == 200, made.body

    def ended():
        job = instance.api(f"/api/jobs/{made.json['job']}").json
        return job if job["state"] in ("done", "failed") else None

    job = until(ended, "the job has ended", 120)
    assert job["result"].get("state") == "done", job
    return next(one for one in instance.freehold("models", "certified") if one["id"] == job["result"]["cell"])


def test_a_variant_is_graded_on_a_workflows_own_calls(house, tmp_path):
    instance, vendor = house
    office = Office(instance, vendor, tmp_path)
    office.remember([(Task("mail"), 60, 28.0)])
    order = {"types": [], "workflow": office.ids["mail"], "limit": 6, "calls": 2, "latency": 60}
    cell = found(instance, order)
    (one,) = cell["variants"]
    assert one["pairs"] == 6
    assert 0 <= one["quality"] <= 1
    assert one["low"] <= one["high"]
    assert (cell["workflow"], cell["grader"], cell["chosen"]) == (office.ids["mail"], cell["grader"], MODEL)
    assert cell["grader"]
    none = found(instance, {**order, "quality": 1.0})
    assert (none["chosen"], none["flags"]) == ("", None)  # it is no genius, and is not said to be one


def test_orders_that_cannot_be_are_refused(house):
    instance, _ = house
    for order, why in (
        ({"types": ["Q9_9"]}, "Q9_9"),
        ({"quality": 0.9}, "workflow"),
        ({"caches": ["q1_0"]}, "q1_0"),
    ):
        answer = instance.api(f"/api/models/{MODEL}/optimise", order)
        assert answer.status == 400, answer.body
        assert why in answer.body.decode()
    assert instance.api("/api/models/minilm-l6-v2/optimise", {}).status >= 400
    assert instance.api("/api/models/nobody/optimise", {}).status == 404


def test_variants_are_measured_one_is_chosen_and_the_cell_is_signed(house):
    instance, _ = house
    cell = found(instance, {"types": ["Q4_0"], "calls": 3, "caches": ["q8_0"]})
    plain, small = cell["variants"]
    assert (plain["quantisation"], small["quantisation"]) == ("as it is", "Q4_0")
    assert small["size_bytes"] < 0.6 * plain["size_bytes"]
    for one in (plain, small):
        assert one["speed"]["calls"] == 3
        assert one["speed"]["failed"] == 0
        assert one["speed"]["tokens_per_second"] > 0
        assert one["speed"]["memory_bytes"] > one["size_bytes"] / 2
    assert cell["chosen"] == MODEL  # nothing was graded: nobody shows that a coarser one does as well
    assert [one["flags"]["kv"] for one in cell["tried"]] == ["", "q8_0"]
    assert instance.api(f"/api/certified/{cell['id']}/picture").body.startswith(b"<svg")
    store = Store(instance.home / "store", Identity.load(instance.home / "identity.key"))
    made = store.verify(f"{MODEL}-q40")
    assert made.making.from_sha256 == store.show(MODEL).files[0].sha256
    assert made.papers is not None
    left = [one["name"] for one in instance.freehold("deploy", "list") if one["phase"] != "stopping"]
    assert sorted(left) == ["owned-chat", "owned-embed"]


def test_a_cell_that_was_changed_is_an_error(house):
    instance, _ = house
    path = next((instance.home / "certified").glob("*.json"))
    before = path.read_bytes()
    told = json.loads(before)
    told["cell"]["chosen"] = "another"
    path.write_text(json.dumps(told))
    answer = instance.api("/api/certified")
    path.write_bytes(before)
    assert answer.status >= 400
    assert "was changed since it was signed" in answer.body.decode()
