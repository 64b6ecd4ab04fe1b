"""The dashboard and the alert rules in `deploy/` ask only for figures, labels and values that `GET /metrics` has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from decimal import Decimal

import pytest
import yaml

from freehold.core.process import Status
from freehold.policy.authority import Standing
from freehold.telemetry.exposition import text
from freehold.telemetry.figures import State, families
from freehold.telemetry.tally import Totals
from tests.house.sources import ROOT

RULES = ROOT / "deploy" / "alerts" / "freehold.rules.yaml"
FIRING = ROOT / "tests" / "telemetry" / "alerts.firing.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "freehold.json"
OUTCOMES = {"ok", "failed", "cancelled", "broken", "refused", "lost"}
TIMES = ({0: 1}, 0.1)
TOTALS = Totals(
    calls={("r", "t", "true", "ok", "false"): 1},
    tokens={("r", "t", "true", "false", "input"): 1},
    dollars={("r", "t", "true", "false"): Decimal(1)},
    latency={("r", "true"): TIMES},
    first_token={("r", "true"): TIMES},
    errors={("FH-UP-001", "failed"): 1},
    attempts={("t", "true", "ok"): 1},
    findings={("pii", "email", "request"): 1},
    failed={("pii", "request"): 1},
)
STATE = State(
    lag_bytes=0,
    waiting_changes=0,
    checkpoint_age=1.0,
    jobs=(("collect", "failed", 1),),
    moves=(("shadow", 1),),
    processes=(Status(name="gateway", phase="ready"),),
    engines=frozenset(),
    budgets=(
        Standing(
            budget="b",
            period="month",
            limit=Decimal(1),
            spent=Decimal(0),
            held=Decimal(0),
            available=Decimal(1),
            resets_at=0,
        ),
    ),
    problems=0,
    versions=(("keys", 1),),
)
SERIES = re.compile(r"(freehold_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def exposed():
    """Every series' labels by its name."""
    found = {}
    for line in text(families(TOTALS, STATE)).splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition("{")
            found.setdefault(name.split(" ")[0], set()).update(re.findall(r'(\w+)="', rest))
    return found


def rules():
    return [one for group in yaml.safe_load(RULES.read_text())["groups"] for one in group["rules"]]


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def asked():
    """Every expression there is, with what asks it."""
    found = [(one["alert"], one["expr"]) for one in rules()]
    found += [(one["title"], each["expr"]) for one in panels() for each in one.get("targets", [])]
    variables = json.loads(DASHBOARD.read_text())["templating"]["list"]
    return found + [(one["name"], one["query"]) for one in variables if one["type"] == "query"]


@pytest.mark.parametrize(("name", "expression"), asked())
def test_figures_and_labels_that_are_asked_for_exist(name, expression):
    known = exposed()
    named = SERIES.findall(expression)
    assert named
    for series, labels in named:
        assert series in known, f"{name} asks for {series}"
        for label, how, value in LABEL.findall(labels):
            assert label in known[series], f"{name}: {series} has no {label}"
            if label == "outcome":
                assert set(value.split("|")) <= OUTCOMES
            if label in {"own", "owned"}:
                assert (how, value in {"true", "false"}) == ("=", True)
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        wanted = {one.strip() for one in grouped.split(",")}
        assert all(wanted <= known[series] for series, _ in named), f"{name} groups by what is not there"


def test_a_figure_that_does_not_exist_would_be_found():
    assert "freehold_calls_total" in exposed() and "freehold_calls" not in exposed()
    assert "le" in exposed()["freehold_call_seconds_bucket"] and "le" not in exposed()["freehold_call_seconds_sum"]


def test_every_rule_has_the_shape_that_prometheus_takes():
    found = yaml.safe_load(RULES.read_text())
    assert set(found) == {"groups"}
    groups = [one["name"] for one in found["groups"]]
    assert len(set(groups)) == len(groups)
    for one in rules():
        assert set(one) <= {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
        assert re.fullmatch(r"[A-Za-z_]\w*", one["alert"]) and re.fullmatch(r"\d+[smh]", one.get("for", "1m"))
        assert one["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(one["annotations"]) == {"summary", "action"}
        assert one["expr"].count("(") == one["expr"].count(")")


def test_what_an_annotation_tells_is_left_by_its_expression():
    for one in rules():
        wanted = set(re.findall(r"\$labels\.(\w+)", one["annotations"]["summary"]))
        grouped = re.findall(r"by \(([^)]*)\)", one["expr"])
        left = {each.strip() for part in grouped for each in part.split(",")} if grouped else None
        assert left is None or wanted <= left, one["alert"]


def test_the_dashboard_is_one_that_grafana_imports():
    board = json.loads(DASHBOARD.read_text())
    assert board["uid"] == "freehold" and board["schemaVersion"] >= 36 and "id" not in board
    ids = [one["id"] for one in panels()]
    assert len(set(ids)) == len(ids)
    taken = set()
    for one in panels():
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{one['title']} lies on another"
        taken |= cells
        if one["type"] != "row":
            assert one["datasource"] == {"type": "prometheus", "uid": "${source}"} and one["targets"]


@pytest.mark.parametrize("asked", [("check", "rules", str(RULES)), ("test", "rules", str(FIRING))])
def test_prometheus_own_tool_takes_the_rules_and_has_them_fire(asked):
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    told = subprocess.run([tool, *asked], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
