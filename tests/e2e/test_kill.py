"""`kill -9` of each process under traffic: it comes back, and the books are right to the last call.

The tests build on one another's traffic; the last one ends the instance and audits what all of them left behind.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import select

from freehold.core.crypto import Identity, Sealer
from freehold.core.db import connect, reading, url_of
from freehold.core.money import from_pico
from freehold.ledger.audit import note
from freehold.ledger.audit.log import consistency_proof, receipt_of_call
from freehold.ledger.audit.merkle import check_consistency
from freehold.ledger.audit.salts import Salts
from freehold.ledger.receipts import verify
from freehold.ledger.tables import calls, checkpoints, leases, pending, spent, usage_hours
from freehold.policy.authority import standing
from freehold.policy.types import Budget
from tests.e2e.instance import until
from tests.e2e.sdks import ask, openai_client
from tests.e2e.traffic import Traffic, traffic
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault

OWNED = True
LIMIT = 1000
CONFIG = f"""\
[routes.main]
targets = ["gpt"]
budget = {{ limit = {LIMIT}, period = "total" }}
[routes.capped]
targets = ["gpt"]
budget = {{ limit = "0.004", period = "total" }}
[routes.backed]
targets = ["owned-chat", "claude"]
[routes.alone]
targets = ["owned-chat"]
"""
ROUNDS = {"gateway": 3, "writer": 2, "admin": 1, "worker": 1}
HONEST = {429, 502, 503, 504}


@pytest.fixture(scope="module")
def seen():
    """Ids of every call that a caller of this file saw succeed."""
    return []


@pytest.fixture(scope="module")
def notes():
    """Checkpoints of the audit log, signed between the kills, oldest first."""
    return []


def kill_and_wait(instance, name):
    """Kill a child; wait until another runs in its place and is ready."""
    gone = instance.kill(name)

    def back():
        one = instance.processes()[name]
        return one["phase"] == "ready" and one["pid"] != gone

    until(back, f"{name} is back", within=240)


@pytest.mark.parametrize("name", ROUNDS)
def test_a_killed_process_comes_back_and_traffic_goes_on(instance, seen, notes, name):
    dice = random.Random(name)
    with traffic(Traffic(instance, streams=True)) as flow:
        for _ in range(ROUNDS[name]):
            flow.more(dice.randrange(5, 60))
            kill_and_wait(instance, name)
            flow.more(20)
    seen += [call for call, _ in flow.good]
    receipt = until(lambda: (got := instance.api(f"/api/receipts/{seen[-1]}")).status == 200 and got, "it is signed")
    notes.append(receipt.json["checkpoint"])
    assert {status for status, _ in flow.refused} <= HONEST, flow.refused[:3]
    if name != "gateway":
        assert not flow.broken, "nobody but the gateway holds callers' connections"
    if name in {"admin", "worker"}:
        assert not flow.refused


def penniless(flow: Traffic) -> bool:
    return any(b"insufficient_quota" in body for _, body in flow.refused)


def test_a_money_limit_holds_across_kills(instance, seen, fakes):
    fakes.openai.say(Reply(text="short", input=20, output=10))
    dice = random.Random("limit")
    with traffic(Traffic(instance, model="capped", streams=True)) as flow:
        for name in ("gateway", "writer", "gateway"):
            wanted = len(flow.good) + dice.randrange(2, 10)
            until(
                lambda wanted=wanted: len(flow.good) >= wanted or penniless(flow),
                "more are answered, or nothing is left",
            )
            kill_and_wait(instance, name)
        until(lambda: penniless(flow), "the money is spent")
    seen += [call for call, _ in flow.good]
    assert {status for status, _ in flow.refused} <= HONEST


def test_calls_under_way_in_a_killed_gateway_are_lost_at_their_reservation(instance, fakes):
    fakes.openai.always = Fault("stall_first")
    before, began = len(instance.calls(outcome="lost")), time.time()
    broken = []

    def call():
        try:
            instance.chat("main")
        except OSError as error:
            broken.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for one in threads:
        one.start()
    until(lambda: len(fakes.openai.requests) == 3, "three calls are at the vendor")
    kill_and_wait(instance, "gateway")
    for one in threads:
        one.join()
    assert len(broken) == 3, "a caller without an answer is told by the end of its connection"
    until(lambda: len(instance.calls(outcome="lost")) >= before + 3, "they are settled")
    lost = [one["call"] for one in instance.calls(outcome="lost", since=began)]
    assert len(lost) == 3
    assert all(Decimal(one["cost"]) == Decimal(one["reserved"]) > 0 and one["usage"]["estimated"] for one in lost)


def test_callers_of_a_killed_engine_get_a_fallback_or_an_honest_error(instance, seen):
    backed = Traffic(instance, model="backed")
    alone = Traffic(instance, model="alone")
    with traffic(backed, 1), traffic(alone, 1):
        kill_and_wait(instance, "engine-owned-chat")
        backed.more(3)
        until(lambda: backed.good[-1][1] == "owned-chat", "the engine is asked again")
    seen += [call for call, _ in backed.good + alone.good]
    assert not backed.refused and not backed.broken
    assert {target for _, target in backed.good} == {"owned-chat", "claude"}
    assert not alone.broken and {status for status, _ in alone.refused} <= HONEST
    assert all(b'"error"' in body for _, body in alone.refused)


def test_a_stream_of_a_killed_engine_never_looks_complete(instance):
    with openai_client(instance) as client:
        stream = client.chat.completions.create(
            model="alone", messages=ask("Tell a long story about the sea."), max_tokens=2000, stream=True
        )
        call, reasons = stream.response.headers["x-request-id"], []
        with pytest.raises(Exception, match=r"(?i)clos|incomplete|stopped|cut|reached"):  # noqa: PT012  the whole reading
            for at, one in enumerate(stream):
                reasons += [each.finish_reason for each in one.choices if each.finish_reason]
                if at == 5:
                    instance.kill("engine-owned-chat")
    assert not reasons
    kept = instance.call(call)["call"]
    assert kept["outcome"] == "broken" and kept["usage"]["output"] > 0


def test_the_books_are_right(instance, seen, notes):
    instance.stop()
    home = instance.home
    engine, identity = connect(url_of(home / "freehold.db")), Identity.load(home / "identity.key")
    with reading(engine) as connection:
        rows = connection.execute(select(calls).order_by(calls.c.leaf)).mappings().all()
        left = [connection.execute(select(table)).all() for table in (pending, leases)]
        hours = connection.execute(select(usage_hours)).mappings().all()
        money = {one.budget: Decimal(one.amount) for one in connection.execute(select(spent))}
    kept = Counter("call_" + one["id"].hex() for one in rows)
    assert len(seen) > 100 and len(seen) == len(set(seen))
    assert not [one for one in seen if kept[one] != 1], "each call that was seen to succeed is there exactly once"
    by_id = {"call_" + one["id"].hex(): one for one in rows}
    assert {by_id[one]["outcome"] for one in seen} == {"ok"}
    assert left == [[], []], "nothing is pending, nothing is lent"
    assert sum(one["calls"] for one in hours) == len(rows)
    assert sum(one["output"] for one in hours) == sum(one["output"] for one in rows)
    assert [one["leaf"] for one in rows] == sorted({one["leaf"] for one in rows})
    for budget, limit in (("route/main", Decimal(LIMIT)), ("route/capped", Decimal("0.004"))):
        cost = sum((from_pico(one["cost"]) for one in rows if budget in one["budgets"]), Decimal(0))
        assert money[budget] == cost <= limit
        stands = standing(engine, Budget(id=budget, limit=limit, period="total"), time.time())
        assert (stands.available, stands.spent, stands.held) == (limit - cost, cost, 0)
    salts = Salts(home, Sealer.load(home / "data.key"))
    for one in by_id:
        assert len(verify(receipt_of_call(engine, identity, salts, one), identity.public)) == 2
    with reading(engine) as connection:
        notes.append(connection.execute(select(checkpoints.c.note).order_by(checkpoints.c.size.desc())).scalar())
    for old, new in pairwise(note.read(one, identity) for one in notes):
        path = [bytes.fromhex(one) for one in consistency_proof(engine, old.size, new.size)]
        check_consistency(old.size, new.size, path, old.root, new.root)
    engine.dispose()
