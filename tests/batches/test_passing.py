"""Batches in their vendor's hands: sent once, under permit and guard, paid once at the batches' price, whoever is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import text

from freehold.batches.lines import Lines
from freehold.batches.passages import Passages
from freehold.batches.passed import Counter
from freehold.batches.returning import Returning
from freehold.batches.running import Runner
from freehold.core.label import parse_label
from freehold.identity.types import SERVICE
from freehold.ledger.meter import Price
from freehold.ledger.writer import keys_of, load_once
from freehold.policy.authority import Ledger, standing
from freehold.policy.leases import Lease, Return
from freehold.policy.types import Budget, Policy
from tests.batches.conftest import Office, heard, line
from tests.fakes.fake_batches import FakeOpenAiBatches, uploaded
from tests.fakes.fake_message_batches import FakeMessageBatches
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance

SERVICE_KEY = "fh-service-key"
BUDGET = Budget(id="team/red", limit=Decimal(1), period="total")
HALF = Price(input=Decimal(5), output=Decimal(15), source="half", as_of="2026-11-22")


class Desk:
    """The till without its socket: the authority's decisions themselves."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def hold(self, epoch, needs):
        for name, need in needs.items():
            budget, _, start = name.rpartition("@")
            self.ledger.give_back(epoch, Return(budget, int(start), Decimal(10**9)))
            if self.ledger.lease(epoch, Lease(budget, int(start), need, Decimal(0))).amount < need:
                return False
        return True


class Killed(Exception):
    pass


class House(Office):
    """An office before a gateway before a vendor; what the runner asks like any call goes to `door`, as ever."""

    def __init__(self, home, vendor, **more):
        super().__init__(home, workers=2)
        self.now = time.time()
        self.vendor = vendor
        self.counters = []
        make, model, form = p.target, "gpt-fake", "openai"
        if isinstance(vendor, FakeMessageBatches):
            make, model, form = p.claude, "claude-fake", "anthropic"
        target = make("gpt-batch", vendor.port, model=model, batches=form, batch_price=HALF, **p.LIMITS)
        table = p.routes((target,), p.route("gpt", "gpt-batch", **more.pop("route", {})))
        keys = p.keys(
            p.principal(name="a", budgets=("team/red",), **more.pop("key", {})),
            p.principal(SERVICE_KEY, name="rooms", role=SERVICE, label=parse_label("public")),
        )
        self.site = Home(home, table, keys, Policy(budgets=(BUDGET,), **more.pop("policy", {})))
        self.gateway = Instance(self.site, secret=vendor.key, desk=home / "run" / "desk.sock")
        self.till = Desk(Ledger(home, self.engine, self.site.identity, lambda: self.now))

    def runner(self):
        runner = Runner(self.cabinet, self.drawer, self.door, self.settings, lambda: self.now, self.wait)
        counter = self.counter()
        lines = Lines(self.engine, self.drawer)
        returning = Returning(self.cabinet, lines, counter, lambda: self.now)
        runner.passages = Passages(self.home / "journal", lines, returning, self.till, 5.0)
        return runner

    def counter(self, key=SERVICE_KEY):
        made = Counter(f"http://127.0.0.1:{self.gateway.port}", "", lambda: key)
        self.counters.append(made)
        return made

    def close(self):
        for one in self.counters:
            one.close()
        self.engine.dispose()

    def load(self):
        load_once(self.home, self.engine, keys_of(self.home), lambda: self.now)

    def calls(self):
        self.load()
        with self.engine.connect() as connection:
            query = "SELECT id, outcome, status, cost, input, output, target, price_source FROM calls ORDER BY id"
            return connection.execute(text(query)).mappings().all()

    def money(self):
        """Spent and held."""
        found = standing(self.engine, BUDGET, self.now)
        return found.spent, found.held

    def answered(self, batch):
        found = self.show(batch)
        good = [] if found["output_file_id"] is None else self.lines(found["output_file_id"])
        bad = [] if found["error_file_id"] is None else self.lines(found["error_file_id"])
        return found, good, bad


@pytest.fixture
def vendor() -> Iterator[FakeOpenAiBatches]:
    with FakeOpenAiBatches() as made:
        yield made


@pytest.fixture
def house(tmp_path, vendor) -> Iterator[House]:
    made = House(tmp_path, vendor)
    with made.gateway:
        yield made
    made.close()


def chat(number, **more):
    return line(number, **{"max_tokens": 16, **more})


def sums(calls):
    return sum((Decimal(one["cost"]) for one in calls), Decimal(0)) / 10**12


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


@pytest.mark.parametrize("after", range(0, 16, 2))
def test_whoever_is_killed_no_line_is_submitted_or_paid_twice(house, vendor, after):
    vendor.shows_left = 3
    batch = house.start(*(chat(number) for number in range(4)))
    left = iter(range(after))

    def beat():
        if next(left, None) is None:
            raise Killed

    for _ in range(4):
        try:
            house.run(beat)
        except Killed:
            left = iter(range(after))
    house.run()
    _, good, bad = house.answered(batch)
    assert [one["custom_id"] for one in good] == [f"c{number}" for number in range(4)]
    assert not bad
    assert sorted(vendor.submitted) == sorted(set(vendor.submitted))
    assert len(vendor.submitted) == 4
    calls = house.calls()
    assert len(calls) == 4
    house.load()
    assert house.money() == (sums(calls), 0)


class Tripwire:
    """Something whose so-manieth use kills, before it is done or once it is."""

    def __init__(self, inner, trip):
        self._inner = inner
        self._trip = trip

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found) or name == "close":
            return found

        def used(*words, **more):
            self._trip(is_before=True)
            done = found(*words, **more)
            self._trip(is_before=False)
            return done

        return used


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(18))
def test_killed_at_any_step_on_the_way_it_is_gone_on_with(house, vendor, at, before):
    uses = iter(range(10**6))

    def trip(*, is_before):
        if is_before is before and next(uses) == at:
            raise Killed

    made = house.runner

    def runner():
        one = made()
        passages, returning = one.passages, one.passages._returning
        returning.door = passages._door = Tripwire(returning.door, trip)
        returning._lines = Tripwire(returning._lines, trip)
        passages._till = Tripwire(passages._till, trip)
        return one

    house.runner = runner
    batch = house.start(*(chat(number) for number in range(3)))
    for _ in range(3):
        try:
            house.run()
            break
        except Killed:
            house.load()
    _, good, bad = house.answered(batch)
    assert [one["custom_id"] for one in good] == ["c0", "c1", "c2"]
    assert not bad
    assert len(vendor.submitted) == 3
    calls = house.calls()
    assert [one["outcome"] for one in calls] == ["ok"] * 3
    house.load()
    assert house.money() == (sums(calls), 0)


@pytest.mark.parametrize("lost", ["file", "batch"])
def test_what_the_vendor_took_without_saying_so_is_found_again(house, vendor, lost):
    vendor.fail(*([Fault("reset")] if lost == "file" else [None, Fault("reset")]))
    batch = house.start(chat(1), chat(2))
    house.run()
    assert len(house.answered(batch)[1]) == 2
    assert len(vendor.submitted) == 2
    assert len([one for one in vendor.requests if (one.method, one.path) == ("POST", "/v1/files")]) == 1
    assert len(house.calls()) == 2


def test_a_batch_that_was_never_made_is_sent_again_once_its_file_is_gone(house, vendor):
    vendor.fail(None, Fault("status", status=503))
    batch = house.start(chat(1))
    house.run()
    assert len(house.answered(batch)[1]) == 1
    assert len(vendor.submitted) == 1
    methods = [one.method for one in vendor.requests if one.path.startswith("/v1/files")]
    assert methods[:4] == ["POST", "DELETE", "POST", "GET"] or "DELETE" in methods


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
    assert vendor.submitted and all("c1" not in one for one in vendor.submitted)
    assert len(vendor.submitted) == 1
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


@pytest.fixture
def anthropic() -> Iterator[FakeMessageBatches]:
    with FakeMessageBatches() as made:
        yield made


@pytest.fixture
def other(tmp_path, anthropic) -> Iterator[House]:
    """The same before a vendor whose batches have no files; what callers ask is translated for it."""
    made = House(tmp_path, anthropic)
    with made.gateway:
        yield made
    made.close()


def test_chats_go_to_a_vendor_of_another_dialect_and_come_back_as_chats(other, anthropic):
    anthropic.runs = 3
    anthropic.odd["line 1"] = {
        "type": "errored",
        "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}},
    }
    batch = other.start(*(chat(number) for number in range(4)))
    other.run()
    found, good, bad = other.answered(batch)
    assert found["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
    assert [one["custom_id"] for one in good] == ["c0", "c2"]
    assert all(one["response"]["body"]["choices"][0]["message"]["content"] for one in good)
    assert bad[0]["response"]["status_code"] == 400
    assert bad[1]["error"]["code"] == "batch_expired"
    ((sent, *_),) = anthropic.inputs.values()
    assert sent["params"]["model"] == "claude-fake"
    assert not anthropic.batches
    calls = other.calls()
    assert sorted(one["outcome"] for one in calls) == ["failed", "failed", "ok", "ok"]
    other.load()
    assert other.money() == (sums(calls), 0)


@pytest.mark.parametrize("shows", [0, 2])
def test_a_batch_without_a_file_is_told_by_its_answers(other, anthropic, shows):
    anthropic.shows_left = shows
    anthropic._made([{"custom_id": "somebody-elses", "params": {"messages": [{"content": "x"}], "model": "m"}}] * 2)
    anthropic.fail(Fault("reset"))
    batch = other.start(chat(1), chat(2))
    other.run()
    assert len(other.answered(batch)[1]) == 2
    assert len(anthropic.submitted) == 4


def test_what_nobody_knows_of_is_not_sent_again_and_counts_as_spent(other, anthropic):
    anthropic.fail(Fault("status", status=503))
    batch = other.start(chat(1), chat(2))
    other.run()
    _, good, bad = other.answered(batch)
    assert not good
    assert {one["error"]["code"] for one in bad} == {"vendor_unclear"}
    assert len([one for one in anthropic.requests if one.method == "POST"]) == 1
    calls = other.calls()
    assert [one["outcome"] for one in calls] == ["lost", "lost"]
    other.load()
    spent, held = other.money()
    assert spent == sums(calls) > 0
    assert not held


@pytest.mark.parametrize("status", [429, 400])
def test_a_vendor_that_says_no_took_nothing(other, anthropic, status):
    anthropic.fail(Fault("status", status=status))
    batch = other.start(chat(1))
    other.run()
    _, good, _ = other.answered(batch)
    assert len(good) == (status == 429)
    assert len(anthropic.submitted) == (status == 429)
    calls = other.calls()
    other.load()
    assert other.money() == (sums(calls), 0)
