"""The network between a replica and its primary fails: calls go on, and each is counted and paid once."""

from __future__ import annotations

from collections import Counter

import pytest

from freehold.core.ports import free_port
from tests.e2e.instance import running, until, vendors
from tests.faults.network import FarReplica, Line, Network, begun, shipped

CONFIG = """\
[dock]
enabled = true
host = "@here"
port = @port
[routes.main]
targets = ["gpt"]
budget = { limit = 1000, period = "total" }
[routes.free]
targets = ["gpt"]
"""


@pytest.fixture
def network(request):
    """A router between the machines, or what the test asks for."""
    with begun(getattr(request, "param", Network)) as made:
        yield made


@pytest.fixture
def both(tmp_path, network):
    text = CONFIG.replace("@here", network.here).replace("@port", str(free_port()))
    with vendors() as fakes, running(tmp_path, text, fakes) as primary:
        replica = FarReplica(tmp_path, network, primary, fakes)
        try:
            yield primary, replica
        finally:
            replica.end()


def books(primary, replica, seen):
    """Each call once, and the replica ends with nothing left to ship."""
    shipped(primary, seen)
    found = [one["call"] for one in primary.calls()]
    assert max(Counter(one["id"] for one in found).values()) == 1
    assert {one["outcome"] for one in found if one["id"] in set(seen)} == {"ok"}
    assert replica.stop() == 0, replica.log.read_text()
    assert replica.unshipped() == []
    assert primary.freehold("audit", "verify")["good"]


def test_packets_that_vanish_without_a_word_cost_no_call(both, network):
    primary, replica = both
    replica.start()
    key = primary.make_key("app")
    seen = [replica.answers(key)]
    shipped(primary, seen)
    before = replica.told("primary lost")
    network.cut()
    seen += [replica.answers(key) for _ in range(20)]
    assert primary.api("/api/keys/app/revoke", {}).status == 200
    until(lambda: replica.told("primary lost") > before, "the courier notices", within=240)
    assert replica.answers(key), "it goes by what it knows"
    assert not {one["call"]["id"] for one in primary.calls()} & set(seen[1:])
    network.heal()
    until(lambda: (got := replica.ask(key)) is not None and got.status == 401, "the key is revoked there too")
    books(primary, replica, seen)


def test_a_line_that_is_narrow_and_drops_ships_all_in_the_end(both, network):
    primary, replica = both
    replica.start()
    network.narrow("64kbit")
    seen = [replica.answers(primary.key) for _ in range(100)]
    books(primary, replica, seen)


@pytest.mark.parametrize("network", [Line], indirect=True, ids=["slow"])
def test_a_line_that_is_slow_and_loses_packets_costs_no_call_and_no_money(both, network):
    primary, replica = both
    replica.start()
    network.be(delay=0.1, lost=0.05)
    key = primary.make_key("app")
    until(lambda: (got := replica.ask(key)) is not None and got.status == 200, "the key is known there", within=240)
    seen = [replica.answers(key) for _ in range(100)]
    books(primary, replica, seen)


def test_a_replica_that_starts_without_its_primary_ships_when_it_is_back(both, network):
    primary, replica = both
    replica.start()
    seen = [replica.answers(primary.key)]
    shipped(primary, seen)
    replica.kill_all()
    network.cut()
    replica.start()
    seen += [replica.answers(primary.key, "free") for _ in range(3)]
    assert replica.ask(primary.key).headers["x-freehold-error"] == "FH-AVA-002", "nobody lends it money"
    network.heal()
    seen += [replica.answers(primary.key)]
    books(primary, replica, seen)
