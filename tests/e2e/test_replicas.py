"""Replicas beside one primary, as `freehold up` runs them: killed in turn, and every call is counted and paid once."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from freehold.core.db import connect, url_of
from freehold.policy.authority import standing
from freehold.policy.types import Budget
from tests.e2e.instance import Instance, Vendors, running, until, vendors
from tests.e2e.replica import replicas

LIMIT = 1000
CONFIG = """\
[dock]
enabled = true
port = 0
[routes.main]
targets = ["gpt"]
budget = { limit = @limit, period = "total" }
""".replace("@limit", str(LIMIT))
HONEST = {429, 502, 503, 504}


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[tuple[Instance, Vendors]]:
    with vendors() as fakes, running(tmp_path, CONFIG, fakes) as made:
        yield made, fakes


def lent(instance: Instance, epoch: str) -> Decimal:
    """What a gateway holds of the budget."""
    with contextlib.closing(sqlite3.connect(f"file:{instance.home / 'freehold.db'}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT granted FROM leases WHERE epoch = ?", (epoch,)).fetchone()
    return Decimal(found[0]) if found else Decimal(0)


def spent(instance: Instance) -> Decimal:
    """What the route's budget says is spent."""
    engine = connect(url_of(instance.home / "freehold.db"))
    found = standing(engine, Budget(id="route/main", limit=Decimal(LIMIT), period="total"), time.time())
    engine.dispose()
    assert found.available == LIMIT - found.spent - found.held
    return found.spent


def test_every_call_is_counted_once_whoever_is_killed(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1", "r2") as (first, second):
        seen = [first.answers(instance.key), second.answers(instance.key)]

        def some():
            for number in range(10):
                for one in (first, second):
                    got = one.ask(instance.key, stream=number % 2 == 0)
                    if got is not None and got.status == 200 and got.whole:
                        seen.append(got.call)
                    else:
                        assert got is None or not got.whole or got.status in HONEST, got

        some()
        for strike in (
            lambda: (first.kill("gateway"), first.kill("courier")),
            lambda: instance.kill("dock"),
            lambda: second.kill("courier"),
            lambda: instance.kill("writer"),
            second.kill_all,
        ):
            strike()
            some()
        second.start()
        some()
        seen += [first.answers(instance.key), second.answers(instance.key)]
        for one in (first, second):
            assert one.stop() == 0, one.log.read_text()
            assert one.unshipped() == []

        def loaded():
            return not instance.pending() and set(seen) <= {one["call"]["id"] for one in instance.calls()}

        until(loaded, "all is loaded")
        found = [one["call"] for one in instance.calls()]
        assert max(Counter(one["id"] for one in found).values()) == 1
        assert LIMIT > sum(Decimal(one["cost"]) for one in found) == spent(instance) > 0
        assert instance.freehold("audit", "verify")
        assert [one["journals"] for one in instance.freehold("replicas", "list")] == [0, 0]


def test_keys_and_limits_are_the_primarys(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1") as (replica,):
        secret = instance.make_key("app", requests_per_minute=60)
        replica.answers(secret)
        for one in (replica.ask(secret), instance.chat("main", key=secret)):
            assert one.headers["x-ratelimit-limit-requests"] == "30", "each of two machines has its part"
        assert instance.api("/api/keys/app/revoke", {}).status == 200
        until(lambda: (got := replica.ask(secret)) is not None and got.status == 401, "the replica refuses the key")
        assert replica.stop() == 0
        replica.base = ""
        replica.start()  # by the same command: with the file to join with, as a container's is
        replica.answers(instance.key)


def test_one_that_is_removed_serves_no_more(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1") as (replica,):
        replica.answers(instance.key)
        refused = instance.api("/api/replicas/r1/remove", {})
        assert refused.status == 409, "its gateway lives, so its journal is not all here"
        assert replica.stop() == 0
        assert instance.freehold("replicas", "remove", "r1")["name"] == "r1"
        assert instance.freehold("replicas", "list") == []
        with pytest.raises(AssertionError, match="FH-POL-035"):
            replica.start()


def test_what_a_lost_one_held_counts_as_spent_and_it_is_told_when_it_comes_back(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1") as (replica,):
        seen = replica.answers(instance.key)
        instance.call(seen)
        (journal,) = replica.unshipped()
        held = lent(instance, journal.name)
        assert held > spent(instance) > 0
        replica.kill_all()
        assert instance.freehold("replicas", "remove", "r1", "--lost")["journals"] == 1
        until(lambda: spent(instance) == held, "what it held counts as spent")
        assert lent(instance, journal.name) == 0
        assert [one["call"]["id"] for one in instance.calls()] == [seen]
        with pytest.raises(AssertionError, match="FH-POL-035"):
            replica.start()
        assert replica.unshipped(), "what it wrote stays where it is"
        assert instance.freehold("audit", "verify")
