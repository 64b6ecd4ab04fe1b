"""`/metrics` over a ledger that a writer loaded: figures that equal the ledger's, few series, and no names of callers."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest
from starlette.testclient import TestClient

from freehold.core.money import ZERO
from freehold.core.process import Processes, Status
from freehold.identity.service import KEY_ID
from freehold.ledger.audit.store import append
from freehold.ledger.frames import Scan
from freehold.ledger.writer import load_once
from freehold.server.app import create_app, guarded
from freehold.server.instance import Instance
from freehold.server.publish import Facts, Publisher
from freehold.settings.load import parse
from freehold.telemetry.exposition import CONTENT_TYPE
from tests.ledger.sample import START, Home, closed, opened, refused, tried

SCAN = Scan("house", "d1", characters=40, found=(("pii", "email", 3), ("secrets", "aws", 1)), failed=("slow",))
CONFIG = b"[serving]\nenabled = false\n[teams.red]\nbudget = 5\n"
LINE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


def parsed(text):
    """Series by name and labels; fails on whatever is not of the format."""
    found, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            name, labels, value = LINE.fullmatch(line).groups()
            assert re.sub(r"_(bucket|sum|count)$", "", name) in kinds or name in kinds, line
            key = (name, frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
            assert key not in found, f"twice: {line}"
            found[key] = Decimal(value)
    return found


def pick(found, name, **labels):
    return sum((value for key, value in found.items() if key[0] == name and key[1] >= set(labels.items())), ZERO)


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("0a")
    yield made
    made.close()


@pytest.fixture
def client(home):
    loaded = parse(CONFIG, None, {}, str(home.path))
    publisher = Publisher(home.engine, home.path, home.keys.identity, lambda: START, Facts(owned=tuple))
    instance = Instance(home.engine, home.keys.identity, loaded, publisher, append, lambda: START + 60)
    with TestClient(guarded(create_app(instance, "t"), ("testserver",)), headers={"authorization": "Bearer t"}) as made:
        yield made


def load(home, *frames):
    home.write("0a", *frames)
    load_once(home.path, home.engine, home.keys, clock=lambda: START + 60)


def scrape(client):
    told = client.get("/metrics")
    assert (told.status_code, told.headers["content-type"]) == (200, CONTENT_TYPE)
    return parsed(told.text)


def test_figures_equal_the_ledgers(home, client):
    other = closed(2, outcome="failed", status=502, error="FH-UP-001", tried=(tried(target="big", outcome="failed"),))
    load(home, opened(1), closed(1), opened(2), other, opened(3, key_id=KEY_ID), closed(3), refused(4, scan=SCAN))
    found = scrape(client)
    assert pick(found, "freehold_calls_total", own="false") == 3
    assert pick(found, "freehold_calls_total", own="true", outcome="ok", owned="true") == 1
    assert pick(found, "freehold_calls_total", outcome="refused", target="") == 1
    assert pick(found, "freehold_tokens_total", target="small", kind="input", own="false") == 1000
    assert pick(found, "freehold_tokens_total", kind="cached") == 600
    assert pick(found, "freehold_cost_dollars_total", owned="true") == Decimal("0.002")
    assert pick(found, "freehold_errors_total", code="FH-UP-001", outcome="failed") == 1
    assert pick(found, "freehold_errors_total", code="FH-POL-002", outcome="refused") == 1
    assert pick(found, "freehold_attempts_total", target="big", owned="false", outcome="failed") == 1
    assert pick(found, "freehold_guard_findings_total", detector="pii", kind="email", side="request") == 3
    assert pick(found, "freehold_guard_failures_total", detector="slow") == 1
    rows = client.get("/api/usage", params={"by": "target"}).json()
    assert pick(found, "freehold_calls_total") == sum(one["calls"] for one in rows)


def test_histograms_hold_every_call_once_in_its_bucket(home, client):
    load(home, *(frame for number in range(1, 5) for frame in (opened(number), closed(number))))
    found = scrape(client)
    for name, below, at in (("freehold_call_seconds", "0.25", "0.5"), ("freehold_first_token_seconds", "0.05", "0.1")):
        assert pick(found, f"{name}_bucket", le=below, owned="true") == 0
        assert pick(found, f"{name}_bucket", le=at, owned="true") == 4
        assert pick(found, f"{name}_bucket", le="+Inf") == pick(found, f"{name}_count") == 4
    assert abs(pick(found, "freehold_call_seconds_sum") - 2) < Decimal("0.06")
    assert abs(pick(found, "freehold_first_token_seconds_sum") - Decimal("0.4")) < Decimal("0.001")


def test_sums_grow_by_what_came_since_and_nothing_is_counted_twice(home, client):
    load(home, opened(1), closed(1), refused(2))
    first = scrape(client)
    assert scrape(client) == first
    load(home, opened(3), closed(3), refused(4))
    later = scrape(client)
    names = (
        "freehold_calls_total",
        "freehold_errors_total",
        "freehold_attempts_total",
        "freehold_first_token_seconds_count",
    )
    for name in names:
        assert pick(later, name) == 2 * pick(first, name) > 0, name
    assert all(value <= later[key] for key, value in first.items() if key[0].endswith(("_total", "_bucket", "_count")))


def test_names_that_callers_choose_make_no_series(home, client):
    load(home, opened(0), closed(0), *(refused(number, route=f"made-up-{number}") for number in range(1, 40)))
    told = client.get("/metrics").text
    assert pick(parsed(told), "freehold_calls_total", route="(unknown)", outcome="refused") == 39
    for word in ("made-up", "key_", "w0", "team=", "workflow="):
        assert word not in told


def test_how_the_instance_stands(home, client):
    load(home, opened(1), closed(1))
    home.write("0a", opened(2))
    run = home.path / "run"
    run.mkdir(exist_ok=True)
    children = (Status(name="gateway", phase="ready", restarts=2), Status(name="writer", phase="waiting"))
    (run / "processes.json").write_bytes(msgspec.json.encode(Processes(1, children)))
    found = scrape(client)
    assert pick(found, "freehold_process_ready", process="gateway") == 1
    assert pick(found, "freehold_process_ready", process="writer") == 0
    assert pick(found, "freehold_process_restarts", process="gateway") == 2
    assert pick(found, "freehold_processes_ready") == 1
    assert pick(found, "freehold_journal_lag_bytes") > 100
    assert pick(found, "freehold_budget_limit_dollars", budget="team/red") == 5
    assert pick(found, "freehold_checkpoint_age_seconds") == 0
    load_once(home.path, home.engine, home.keys, clock=lambda: START + 60)
    assert pick(scrape(client), "freehold_journal_lag_bytes") == 0


def test_only_who_may_read_usage_is_told(client):
    assert client.get("/metrics", headers={"authorization": ""}).status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
