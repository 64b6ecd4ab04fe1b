"""Batches in their vendor's hands: sent once, under permit and guard, paid once at the batches' price, whoever is killed."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from freehold.core.label import parse_label
from freehold.identity.types import SERVICE
from freehold.policy.types import Policy
from tests.batches.conftest import heard, line
from tests.batches.passed_house import BUDGET, SERVICE_KEY, House, Killed, chat, sums
from tests.fakes.fake_batches import uploaded
from tests.fakes.wire import Fault
from tests.gateway import pieces as p


def test_a_batch_goes_to_its_vendor_and_comes_back_line_by_line(house, vendor):
    batch = house.start(*(chat(number) for number in range(5)))
    assert house.run() == 1
    found, good, bad = house.answered(batch)
    assert (found["status"], found["request_counts"]) == ("completed", {"total": 5, "completed": 5, "failed": 0})
    assert [one["custom_id"] for one in good] == [f"c{number}" for number in range(5)]
    assert not bad
    assert not house.door.asked
    assert len(vendor.batches) == 1
    (one,) = vendor.batches.values()
    assert {each["body"]["model"] for each in vendor._lines(one["input"])} == {"gpt-fake"}
    assert (one["endpoint"], one["completion_window"]) == ("/v1/chat/completions", "24h")
    assert not vendor.files
    body = good[0]["response"]["body"]
    assert body["choices"][0]["message"]["content"]
    assert found["usage"]["input_tokens"] > 0


def test_each_line_is_a_call_paid_at_the_price_of_batches_and_held_before(house, vendor):
    seen = []
    vendor.shows_left = 2
    batch = house.start(*(chat(number) for number in range(3)))

    def beat():
        if any(one["status"] == "in_progress" for one in vendor.batches.values()):
            house.load()
            seen.append(house.money())

    house.run(beat)
    assert seen
    assert all(spent == 0 and held > 0 for spent, held in seen)
    calls = house.calls()
    _, good, _ = house.answered(batch)
    assert {f"call_{one['id'].hex()}" for one in calls} == {one["response"]["request_id"] for one in good}
    for one in calls:
        assert (one["outcome"], one["status"], one["target"], one["price_source"]) == ("ok", 200, "gpt-batch", "half")
        assert one["cost"] == (one["input"] * 5 + one["output"] * 15) * 10**6
    house.load()
    assert house.money() == (sums(calls), 0)
    assert not list((house.home / "journal").glob("batch-*"))


def test_lines_that_the_vendor_did_not_run_cost_nothing_and_say_why(house, vendor):
    vendor.ends_as, vendor.runs = "expired", 2
    batch = house.start(*(chat(number) for number in range(4)))
    house.run()
    found, good, bad = house.answered(batch)
    assert found["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
    assert [one["custom_id"] for one in good] == ["c0", "c1"]
    assert {one["error"]["code"] for one in bad} == {"batch_expired"}
    calls = house.calls()
    assert sorted(one["outcome"] for one in calls) == ["failed", "failed", "ok", "ok"]
    assert [one["cost"] for one in calls if one["outcome"] == "failed"] == [0, 0]
    house.load()
    assert house.money() == (sums(calls), 0)


def test_a_line_that_the_vendor_refuses_is_told_as_the_vendor_told_it(house, vendor):
    vendor.odd["line 1"] = (400, {"error": {"message": "no", "type": "invalid_request_error", "code": "bad"}})
    batch = house.start(chat(1), chat(2))
    house.run()
    _, good, bad = house.answered(batch)
    assert (len(good), bad[0]["response"]["status_code"]) == (1, 400)
    assert bad[0]["response"]["body"]["error"]["message"] == "no"


@pytest.mark.parametrize("status", [400, 403])
def test_a_batch_that_the_vendor_will_not_have_ends_with_errors_at_no_cost(house, vendor, status):
    vendor.fail(None, Fault("status", status=status))
    batch = house.start(chat(1), chat(2))
    house.run()
    found, good, bad = house.answered(batch)
    assert (found["status"], good) == ("completed", [])
    assert {one["error"]["code"] for one in bad} == {"vendor_refused"}
    house.calls()
    house.load()
    assert house.money() == (0, 0)
    assert not house.door.asked


def test_what_a_budget_does_not_cover_as_a_whole_is_asked_line_by_line(house, vendor):
    batch = house.start(*(chat(number, max_tokens=50_000) for number in range(3)))  # 0.75 $ of output each
    house.run()
    assert not vendor.batches
    assert len(house.door.asked) == 3
    assert house.show(batch)["request_counts"]["completed"] == 3
    house.load()
    assert house.money() == (0, 0)


def test_a_cancelled_batch_is_cancelled_there_and_keeps_what_was_run(house, vendor):
    vendor.shows_left, vendor.runs = -1, 1
    batch = house.start(chat(0), chat(1))

    def beat():
        if vendor.batches and house.show(batch)["status"] == "in_progress":
            house.ok("POST", f"/v1/batches/{batch}/cancel")

    house.run(beat)
    found, good, bad = house.answered(batch)
    assert found["status"] == "cancelled"
    assert [one["custom_id"] for one in good] == ["c0"]
    assert {one["error"]["code"] for one in bad} == {"batch_cancelled"}
    calls = house.calls()
    house.load()
    assert house.money() == (sums(calls), 0)


def test_a_batch_cancelled_before_it_left_never_leaves(house, vendor):
    house.start(chat(0))
    batch = house.start(chat(1))
    house.ok("POST", f"/v1/batches/{batch}/cancel")
    house.run()
    assert len(vendor.submitted) == 1
    assert not vendor.submitted[0].startswith(batch)
    assert house.show(batch)["status"] == "cancelled"


def test_content_that_may_not_go_there_never_leaves(tmp_path, vendor):
    house = House(tmp_path, vendor, key={"label": parse_label("restricted:HIPAA")})
    with house.gateway:
        batch = house.start(chat(1), label="restricted:HIPAA")
        house.run()
        _, good, bad = house.answered(batch)
    house.close()
    assert not vendor.requests
    assert not good
    assert bad[0]["response"]["status_code"] == 403


def test_a_policy_that_changes_before_the_file_leaves_keeps_it_here(house, vendor):
    house.start(chat(1), chat(2))

    def beat():
        house.gateway.reload(policy=Policy(budgets=(BUDGET,), air_gapped=True))

    house.run(beat)
    assert not vendor.files
    assert not vendor.batches
    house.calls()
    house.load()
    assert house.money() == (0, 0)


def test_a_short_window_is_asked_line_by_line(house, vendor):
    house.start(chat(1), wish={"completion_window": "1h"})
    house.run()
    assert not vendor.requests
    assert len(house.door.asked) == 1


def test_a_key_that_is_revoked_meanwhile_gets_nothing_and_the_vendor_is_paid(house, vendor):
    vendor.shows_left = 1
    batch = house.start(chat(1), chat(2))

    def beat():
        if vendor.batches:
            house.gateway.reload(
                keys=p.keys(
                    p.principal(name="a", budgets=("team/red",), revoked_at=1.0),
                    p.principal(SERVICE_KEY, name="rooms", role=SERVICE, label=parse_label("public")),
                )
            )

    house.run(beat)
    found, good, _ = house.answered(batch)
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "key_ended")
    assert not good
    calls = house.calls()
    assert all(one["cost"] > 0 for one in calls)
    house.load()
    assert house.money() == (sums(calls), 0)


def test_a_line_that_did_not_go_through_the_gateway_is_not_sent(house, vendor):
    import msgspec

    from freehold.batches.passed import Refused
    from freehold.gateway.passed_lines import Line, Send

    counter = house.counter()
    asked = Line(key_id="key_a", path="/v1/chat/completions", headers={}, body=p.chat_body("gpt"), mark="m-1")
    ready = counter.prepare(asked)
    for change in ({"body": b"{}"}, {"label": "public"}, {"proof": b"x"}, {"mark": "other"}):
        with pytest.raises(Refused):
            counter.send(Send(key_id="key_a", name="n", lines=(msgspec.structs.replace(ready, opening=b"", **change),)))
    with pytest.raises(Refused):
        house.counter(p.KEY).send(Send(key_id="key_a", name="n", lines=(ready,)))
    assert not vendor.requests


def test_nothing_of_the_callers_names_is_told_to_the_vendor(house, vendor):
    house.start(json.dumps({**json.loads(chat(1)), "custom_id": "planted name"}).encode())
    house.run()
    sent = b"".join(one.body for one in vendor.requests)
    assert b"planted name" not in sent
    assert uploaded(next(one for one in vendor.requests if one.path == "/v1/files"))[0].startswith("freehold-")


def test_lines_of_a_route_that_passes_nothing_are_asked_as_ever(office):
    office.door.play = lambda asked: heard()
    office.start(line(1))
    office.run()
    assert len(office.door.asked) == 1


def test_lines_that_name_different_models_are_asked_line_by_line(house, vendor):
    house.start(chat(1), chat(2, model="gpt-too"))
    house.run()
    assert not vendor.requests
    assert len(house.door.asked) == 2


def test_many_lines_are_one_batch(house, vendor):
    vendor.shows_left = -1
    house.start(*(chat(number) for number in range(200)))

    def beat():
        if vendor.batches:
            raise Killed

    with pytest.raises(Killed):
        house.run(beat)
    assert len(vendor.submitted) == 200


def test_the_next_batch_of_a_key_does_not_wait_for_the_vendor(house, vendor):
    vendor.shows_left = -1
    first = house.start(chat(1))
    second = house.start(line(2, model="nothing-like-it"))

    def beat():
        if house.show(second)["status"] == "completed":
            raise Killed

    with pytest.raises(Killed):
        house.run(beat)
    assert house.show(first)["status"] == "in_progress"


def test_what_a_limit_refuses_just_now_is_made_ready_later(tmp_path, vendor):
    house = House(tmp_path, vendor, key={"requests_per_minute": 2})
    with house.gateway:
        batch = house.start(*(chat(number) for number in range(3)))
        wait = house.wait

        def later(seconds):
            wait(seconds)
            house.gateway.skip(1.0)

        house.wait = later
        house.run()
        assert house.show(batch)["request_counts"]["completed"] == 3
    assert len(vendor.batches) == 1
    house.close()


def test_what_is_with_the_vendor_counts_against_the_budget_until_it_is_back(house, vendor):
    vendor.shows_left = -1
    lines = [chat(number, max_tokens=30_000) for number in range(2)]  # 0.45 $ of output each, of 1 $
    house.start(*lines)
    second: list[str] = []

    def beat():
        if vendor.batches and not second:
            second.append(house.start(*lines, wish={"metadata": {"which": "second"}}))
        if second and house.show(second[0])["status"] == "completed":
            raise Killed

    with pytest.raises(Killed):
        house.run(beat)
    assert len(vendor.batches) == 1
    assert len(house.door.asked) == 2
    spent, held = house.money()
    assert not spent
    assert Decimal("0.9") < held <= 1
