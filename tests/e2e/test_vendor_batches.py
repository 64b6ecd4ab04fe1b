"""Batches passed to their vendor from end to end: a whole instance, OpenAI's SDK, kills, guards, budgets, receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.e2e.instance import Instance, Vendors, running, until
from tests.e2e.sdks import openai_client
from tests.e2e.test_batches import answered, ended, line, lines_of, start
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_batches import FakeOpenAiBatches

CONFIG = """\
[batches]
poll_seconds = 0.2
[targets.gpt-batch]
provider = "openai"
model = "gpt-fake"
price = { input = 1, output = 2, as_of = 2026-11-01 }
batches = "pass"
[routes.passed]
targets = ["gpt-batch"]
[routes.watched]
targets = ["gpt-batch"]
guard = "strict"
[guard.strict]
rules = [
  { detector = "pii", action = "pseudonymise" },
  { detector = "secrets", action = "block" },
]
[teams.red]
budget = { limit = 1, period = "total" }
"""


@pytest.fixture(scope="module")
def fakes() -> Iterator[Vendors]:
    with FakeOpenAiBatches() as openai, FakeAnthropic() as anthropic:
        yield Vendors(openai, anthropic)


@pytest.fixture(scope="module")
def instance(tmp_path_factory, fakes) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("passed"), CONFIG, fakes) as made:
        yield made


@pytest.fixture(autouse=True)
def calm(fakes) -> None:
    fakes.calm()
    fakes.openai.shows_left, fakes.openai.ends_as, fakes.openai.runs = 1, "completed", 10**9
    fakes.openai.odd.clear()
    fakes.openai.echoes = False
    fakes.openai.batches.clear()


def said(number, content, model="watched"):
    told = json.loads(line(number, model))
    told["body"]["messages"][0]["content"] = content
    return json.dumps(told).encode()


def test_a_batch_goes_to_its_vendor_at_half_the_price(instance, fakes):
    with openai_client(instance) as client:
        done = ended(client, start(client, [line(number, "passed") for number in range(6)]))
        assert (done.status, done.request_counts.completed) == ("completed", 6)
        good = lines_of(client, done.output_file_id)
    assert len(fakes.openai.batches) == 1
    assert not [one for one in fakes.openai.requests if one.path == "/v1/chat/completions"]
    call = instance.call(good[0]["response"]["request_id"])["call"]
    usage = good[0]["response"]["body"]["usage"]
    expected = (Decimal(usage["prompt_tokens"]) + 2 * Decimal(usage["completion_tokens"])) / 2 / 10**6
    assert Decimal(str(call["cost"])) == expected
    assert "times 0.5 in batches" in call["price_source"]
    assert (call["route"], call["target"], call["outcome"]) == ("passed", "gpt-batch", "ok")
    told = instance.api("/api/audit?kind=batch.submit").json
    (vendors,) = fakes.openai.batches
    assert vendors in json.dumps(told)
    shown = instance.freehold("batches", "show", done.id)
    assert (shown["passed"], shown["passed_to"], shown["vendor_batch"]) == ("settled", "gpt-batch", vendors)


def test_a_guard_looks_at_what_leaves_and_at_what_comes_back(instance, fakes):
    lines = [said(1, "write to jane.doe@example.org"), said(2, "key AKIAIOSFODNN7EXAMPLQ is mine"), said(3, "hello")]
    fakes.openai.echoes = True
    with openai_client(instance) as client:
        done = ended(client, start(client, lines))
        good, bad = lines_of(client, done.output_file_id), lines_of(client, done.error_file_id)
    assert [one["custom_id"] for one in good] == ["c1", "c3"]
    assert [(one["custom_id"], one["response"]["status_code"]) for one in bad] == [("c2", 403)]
    assert good[0]["response"]["body"]["choices"][0]["message"]["content"] == "write to jane.doe@example.org"
    assert b"jane.doe" not in fakes.sent()
    assert b"AKIAIOSFODNN7EXAMPLQ" not in fakes.sent()
    call = instance.call(good[0]["response"]["request_id"])["call"]
    assert call["scan"]["request"]["stand_ins"] == 1


def red(instance):
    return next(one for one in instance.api("/api/budgets").json if one["budget"] == "team/red")


@pytest.mark.parametrize("killed", ["batches", "gateway", "writer"])
def test_whoever_is_killed_while_the_vendor_has_it_each_line_comes_back_once(instance, fakes, killed):
    secret = instance.make_key(f"red-{killed}", team="red")
    fakes.openai.shows_left = 10**6
    before = red(instance)
    with openai_client(instance, secret) as client:
        made = start(client, [line(number, "passed") for number in range(20)])
        until(lambda: fakes.openai.batches, "it is with its vendor")
        instance.kill(killed)
        for one in fakes.openai.batches.values():
            one["shows"] = 0
        done = until(lambda: answered(client, made), "the batch ended", 60)
        good = lines_of(client, done.output_file_id)
    assert [one["custom_id"] for one in good] == [f"c{number}" for number in range(20)]
    assert len(fakes.openai.submitted) == 20
    costs = [Decimal(str(instance.call(one["response"]["request_id"])["call"]["cost"])) for one in good]

    def settled():
        now = red(instance)
        return Decimal(now["spent"]) - Decimal(before["spent"]) == sum(costs)

    until(settled, "the budget has what it cost, and nothing more", 30)


def test_a_budget_that_does_not_cover_the_file_sends_none_of_it(instance, fakes):
    secret = instance.make_key("poor", team="red")
    with openai_client(instance, secret) as client:
        lines = [line(number, "passed", max_tokens=400_000) for number in range(4)]  # 0.4 $ each in batches
        ended(client, start(client, lines))
    assert not fakes.openai.batches
