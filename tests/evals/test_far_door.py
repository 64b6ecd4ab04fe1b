"""Asking from elsewhere gives what asking from here gives, whatever pool asks and whatever of it is lost."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from decimal import Decimal

import msgspec
import pytest

from freehold.core.db import reading, writing
from freehold.core.ids import as_text
from freehold.evals import store
from freehold.evals.door import Door, Manner
from freehold.evals.errors import DoorClosed, DoorRefused, EvaluationBudget
from freehold.evals.far_door import CHUNK, NEAR, Chunk, Cluster, FarDoor
from freehold.evals.runs import evaluate
from freehold.evals.types import Plan, Run
from freehold.grading.types import Spec
from freehold.jobs.local_pool import LocalPool
from freehold.jobs.pool import InProcess
from freehold.jobs.settings import JobsSettings
from freehold.settings.pools import pool_for_content
from tests.evals.conftest import START, WORKFLOW, Gateway, completion, record
from tests.jobs.test_ray_pool import SECONDS, apart, needs_ray, short  # noqa: F401  # a fixture

MANY = NEAR + 3 * CHUNK + 5
RUN = as_text("ev", b"f" * 16)


def asked(count):
    return [
        ("m", json.dumps({"messages": [{"role": "user", "content": str(n)}]}).encode(), "internal", "wf_1")
        for n in range(count)
    ]


def echo(target, request):
    return 200, completion(request["messages"][0]["content"]), {"x-freehold-cost": "0.01"}


def let(models, seconds):
    return f"pass to {' '.join(models)} for {seconds:.0f}"


def far(gateway, pool, opened=None):
    @contextmanager
    def there():
        if opened is not None:
            opened.append(1)
        yield pool

    return FarDoor("http://127.0.0.1:1", "fh-key", Cluster(gateway.url, there, let), manner=Manner(workers=4))


@pytest.fixture(params=["in process", "processes"])
def pool(request):
    made = InProcess() if request.param == "in process" else LocalPool(2, patience=0)
    yield made
    made.close()


def test_replies_are_those_of_a_door_here_in_their_order(gateway, pool):
    gateway.play = echo
    counts = []
    with Door(gateway.url, "fh-key") as here:
        wanted = [one.answer for one in here.ask_all(asked(MANY))]
    gateway.asked.clear()
    with far(gateway, pool) as door:
        found = list(door.ask_all(iter(asked(MANY)), counts.append))
    assert [one.answer for one in found] == wanted
    assert {one.cost for one in found} == {Decimal("0.01")}
    assert counts == list(range(1, MANY + 1))
    assert len(gateway.asked) == MANY
    _, body, headers = gateway.asked[0]
    assert body["model"] == "target:m"
    assert headers["x-freehold-workflow"] == "wf_1"


def test_each_chunk_goes_with_a_pass_to_its_models_and_never_with_the_key(gateway, pool):
    gateway.play = echo
    models = ["m", "target:n"] * (NEAR // 2) + ["route:r"] * CHUNK
    calls = [(model, *one[1:]) for model, one in zip(models, asked(len(models)), strict=True)]
    with far(gateway, pool) as door:
        assert len(list(door.ask_all(calls))) == len(models)
    told = {headers["authorization"] for _, _, headers in gateway.asked}
    assert told == {"Bearer pass to target:m target:n for 8100", "Bearer pass to r for 8100"}


def test_few_calls_are_asked_from_here_and_no_cluster_is_joined(gateway):
    opened = []
    gateway.play = echo
    cluster = Cluster("http://127.0.0.1:1", lambda: opened.append(1), let)
    with FarDoor(gateway.url, "fh-key", cluster) as door:
        assert len(list(door.ask_all(asked(NEAR - 1)))) == NEAR - 1
        assert door.ask("m", asked(1)[0][1], "internal").answer
    assert opened == []


def test_what_was_answered_before_the_gateway_went_is_kept(gateway, pool):
    gateway.play = lambda target, request: (
        echo(target, request)
        if int(request["messages"][0]["content"]) < NEAR
        else (400, {"error": {"message": "no"}}, {"x-freehold-error": "FH-KEY-001"})
    )
    heard = []
    with far(gateway, pool) as door, pytest.raises(DoorRefused, match="FH-KEY-001"):
        heard.extend(one.answer.text for one in door.ask_all(asked(MANY)))
    assert heard == [str(n) for n in range(NEAR)]


def test_who_stops_listening_ends_the_asking(gateway, pool):
    gateway.play = echo
    with far(gateway, pool) as door:
        replies = door.ask_all(asked(40 * CHUNK))
        assert next(replies).answer.text == "0"
        replies.close()
    assert len(gateway.asked) < 20 * CHUNK


def test_a_chunk_says_nothing_of_its_key_or_contents():
    told = repr(Chunk("http://x", "fh-secret", Manner(), 1.0, tuple(asked(3))))
    assert "secret" not in told and "content" not in told


@pytest.fixture
def begin(engine, parts):
    def start(door, **more):
        plan = Plan(**{"workflow": WORKFLOW, "target": "mine", "grader": Spec("label"), **more})
        with writing(engine) as connection:
            store.add_run(connection, Run(id=RUN, at=START + 1e6, plan=plan))
        return evaluate(msgspec.structs.replace(parts, door=door), RUN)

    return start


def rows(engine):
    with reading(engine) as connection:
        return store.rows_of(connection, RUN)


def test_an_evaluation_is_the_same(fill, engine, gateway, pool, begin):
    fill(record(n, "yes" if n % 2 else "no") for n in range(MANY))
    gateway.play = lambda target, request: (200, completion("Yes."), {"x-freehold-cost": "0.01"})
    with far(gateway, pool) as door:
        card = begin(door, limit=MANY)
    assert (card.pairs, card.incumbent_quality) == (MANY, 1.0)
    assert card.quality == pytest.approx(sum(n % 2 for n in range(MANY)) / MANY)
    assert len({one.record for one in rows(engine)}) == len(rows(engine)) == MANY


def test_the_money_of_an_evaluation_still_ends_it(fill, engine, gateway, begin):
    fill(record(n) for n in range(20 * CHUNK))
    gateway.play = lambda target, request: (200, completion("yes"), {"x-freehold-cost": "0.01"})
    with far(gateway, InProcess()) as door, pytest.raises(EvaluationBudget):
        begin(door, limit=20 * CHUNK, budget="1.00")
    assert 100 <= len(rows(engine)) <= 100 + NEAR
    assert len(gateway.asked) == len(rows(engine))


def test_an_evaluation_whose_gateway_is_gone_keeps_what_it_has(fill, engine, gateway, begin, monkeypatch):
    monkeypatch.setattr("freehold.evals.door.TRIES", 1)
    fill(record(n) for n in range(MANY))
    count = iter(range(10**6))
    gateway.play = lambda target, request: (
        (200, completion("yes"), {})
        if next(count) < NEAR
        else (503, {"error": {"message": "away"}}, {"x-freehold-error": "FH-AVA-001"})
    )
    with far(gateway, InProcess()) as door, pytest.raises(DoorClosed, match="asked by nodes at") as error:
        begin(door, limit=MANY)
    assert "gateway in [jobs]" in error.value.hint
    assert len(rows(engine)) >= NEAR - CHUNK


@needs_ray
def test_a_node_that_goes_away_takes_no_answer_with_it(short):  # noqa: F811
    apart("asks_from_two_nodes", short, __name__)


def asks_from_two_nodes():
    from freehold.settings.environment import enclose_ray, silence_ray

    silence_ray()
    enclose_ray()
    from ray.cluster_utils import Cluster as Nodes

    gateway = Gateway()
    both, busy = threading.Event(), []

    def play(target, request):
        busy.append(1)
        if len(busy) > Manner().workers:  # more than one node asks at a time
            both.set()
        both.wait(SECONDS / 2)
        return echo(target, request)

    gateway.play = play
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        other = nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        jobs = JobsSettings(backend="ray", address=nodes.address, content=True, gateway=gateway.url)
        cluster = Cluster(jobs.gateway, lambda: pool_for_content(jobs), let)
        heard = []
        with FarDoor("http://127.0.0.1:1", "fh-key", cluster) as door:
            for one in door.ask_all(asked(40 * CHUNK)):
                heard.append(one.answer.text)
                if len(heard) == CHUNK + 1:
                    nodes.remove_node(other, allow_graceful=False)
        assert heard == [str(n) for n in range(40 * CHUNK)]
        assert both.is_set() and len(gateway.asked) >= 40 * CHUNK
    finally:
        nodes.shutdown()
        gateway.close()
