"""`freehold plan`, `prices`: from a trace to a plan and its reports, and clear errors for bad input."""

from __future__ import annotations

import random

import pytest

SETTINGS = """
[plan]
draws = 300
now = "openai/gpt-4o"
skills = true
[plan.workflows.mail]
label = "internal"
"""


@pytest.fixture
def folder(cli, tmp_path):
    (tmp_path / "freehold.toml").write_text(SETTINGS)
    chance = random.Random(3)
    at, lines = 0.0, ["t_s,input_tokens,output_tokens,workflow"]
    for index in range(300):
        at += chance.expovariate(1 / 20)
        lines.append(f"{at:.2f},{chance.randint(50, 900)},{chance.randint(5, 200)},{('mail', 'tickets')[index % 2]}")
    (tmp_path / "trace.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


DAY = ("--date", "2026-11-01")


def test_a_trace_becomes_a_plan_and_three_reports(cli, folder):
    told = cli("plan", "--trace", "trace.csv", *DAY, "--out", "plan.json")
    assert told.code == 0, told.err
    for words in ("mail", "tickets", "all together", "do nothing", "self-hosted", "advice"):
        assert words in told.out
    assert cli("plan", "report", "plan.json", "--out", "reports").code == 0
    assert sorted(one.name for one in (folder / "reports").iterdir()) == [
        "plan-cfo.html",
        "plan-ciso.html",
        "plan-cto.html",
    ]
    page = (folder / "reports" / "plan-ciso.html").read_text()
    assert "openai-api" in page
    first = (folder / "plan.json").read_bytes()
    cli("plan", "--trace", "trace.csv", *DAY, "--out", "again.json", "--json")
    assert (folder / "again.json").read_bytes() == first
    shown = cli("plan", "show", "plan.json", "--why", "mail")
    assert "quality evidence" in shown.out
    assert "would decide" in shown.out or "stay" in shown.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t_s,input_tokens,output_tokens\n", "no request"),
        ("t_s,input_tokens,output_tokens\n0,5,5\n1,-3,5\n", "line 3"),
        ("when,what\n1,2\n", "t_s"),
    ],
)
def test_a_bad_trace_names_its_row(cli, folder, text, words):
    (folder / "bad.csv").write_text(text)
    told = cli("plan", "--trace", "bad.csv", *DAY)
    assert (told.code, words in told.err) == (1, True), told.err
    assert "FH-PLN-002" in told.err


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--gpu", "H999"), "FH-PLN-003"),
        (("--model", "no-such-model-9000"), "FH-PLN-004"),
        (("--now", "openai/gpt-4oo"), "FH-PLN-005"),
    ],
)
def test_what_is_not_known_is_named(cli, folder, more, code):
    told = cli("plan", "--trace", "trace.csv", *DAY, *more)
    assert told.code == 1
    assert code in told.err


def test_a_plan_that_was_changed_is_refused(cli, folder):
    (folder / "plan.json").write_text('{"content":{"form":"freehold-plan/1"},"sha256":"00"}')
    told = cli("plan", "show", "plan.json")
    assert told.code == 1
    assert "FH-PLN-007" in told.err


def test_prices_are_listed_and_explained(cli, folder):
    rows = cli("prices", "--provider", "openai", *DAY, "--json").json
    assert any(one["model"] == "gpt-4o" for one in rows)
    told = cli("prices", "openai/gpt-4o", "--explain", *DAY)
    assert "genai-prices" in told.out
    assert cli("prices", "--seed", *DAY, "--json").json["closed"] > 0
    wrong = cli("prices", "openai/gpt-4oo", *DAY)
    assert "did you mean openai/gpt-4o" in wrong.err
