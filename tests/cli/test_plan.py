"""`freehold plan`, `prices`: from a trace to a plan and its reports, and clear errors for bad input."""

from __future__ import annotations

import random
import re

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


def test_one_call_is_no_month(cli, folder):
    (folder / "one.csv").write_text("arrival_s,input_tokens,output_tokens\n0,500,100\n")
    told = cli("plan", "--trace", "one.csv", *DAY, "--out", "one.json")
    assert told.code == 0, told.err
    assert "not yet" in told.out
    assert "1 call in a second or less" in told.out
    assert not any("%" in line for line in told.out.splitlines()), "no chance of saving is told"
    (found,) = cli("plan", "show", "one.json", "--json").json["content"]["workflows"]
    assert (found["rests"]["calls"], found["rests"]["enough"], found["decision"]["advice"]) == (1, False, "not_yet")
    assert "open" in cli("plan", "show", "one.json", "--why", "all").out


def test_people_and_moving_stand_beside_tokens(cli, folder):
    """A model with lower prices that is dearer all in shows why."""
    told = cli("plan", "--trace", "trace.csv", *DAY, "--closed", "openai/gpt-5-mini")
    heads, now, other = (
        re.split(r"\s{2,}", next(line for line in told.out.splitlines() if words in line))
        for words in ("people, moving", "openai/gpt-4o", "openai/gpt-5-mini")
    )
    tokens, people = heads.index("tokens, machines"), heads.index("people, moving")
    assert _number(other[tokens]) < _number(now[tokens])
    assert _number(other[people]) > _number(now[people]) == 0.0


def _number(text):
    return float(text.replace(",", ""))


def test_a_plan_is_held_against_what_happened(cli, folder):
    cli("plan", "--trace", "trace.csv", *DAY, "--out", "plan.json", "--json")
    rows = ["month,workflow,calls,input_tokens,output_tokens,cost"]
    rows += [f"{month},mail,{20000 * month},9000000,1000000,50" for month in range(1, 5)]
    (folder / "usage.csv").write_text("\n".join(rows) + "\n")
    told = cli("plan", "actual", "plan.json", "--from", "2026-12-01", "--usage", "usage.csv", "--out", "anew.json")
    assert told.code == 0, told.err
    assert "against the plan" in told.out
    assert cli("plan", "show", "anew.json").code == 0
    assert cli("plan", "actual", "plan.json", "--from", "soon", "--usage", "usage.csv").code == 2


def test_the_gap_is_shown_from_public_rows_without_an_instance(cli, folder):
    told = cli("gap", *DAY)
    assert "GSM8K" in told.out
    assert "public rows alone" in told.err
    (found,) = cli("gap", "GSM8K (ZeroEval)", "--public", *DAY, "--json").json
    assert found["closed_on"] == "2024-04-18"


def test_what_was_measured_draws_the_curve_and_weighs_the_prices(cli, folder):
    (folder / "m.csv").write_text(
        "workflow,target,quality,cost_call,calls,incumbent\nmail,gpt,0.95,0.01,100,yes\nmail,own,0.94,0.001,100,no\n"
    )
    points = cli("prices", "--curve", "m.csv", "--json").json
    assert points[0]["saving"] == 0.0
    assert max(one["saving"] for one in points) == pytest.approx(0.9)
    (folder / "u.csv").write_text("model,kind,input_tokens,output_tokens\nopenai/gpt-4o,closed,1e6,1e6\n")
    told = cli("prices", "--weights", "u.csv", *DAY)
    assert (told.code, "FH-PLN-001" in told.err) == (1, True)


def test_levers_are_listed_and_pulled_without_simulating_anew(cli, folder):
    cli("plan", "--trace", "trace.csv", *DAY, "--out", "plan.json", "--json")
    listed = cli("plan", "solve", "plan.json")
    assert "traffic_growth" in listed.out and "goes from, to" in listed.out
    told = cli("plan", "solve", "plan.json", "--set", "volume=15", "--set", "months=12", "--out", "anew.json")
    assert told.code == 0, told.err
    assert "nothing was simulated anew" in told.err
    anew = cli("plan", "show", "anew.json", "--json").json["content"]["inputs"]
    assert (anew["months"], anew["works"][0]["level"]) == (12, 15)
    quick = cli("plan", "solve", "plan.json", "--set", "volume=15", "--set", "months=12", "--json").json
    assert quick["plan"]["inputs"] == anew, "300 draws are few enough for both"
    assert cli("plan", "solve", "plan.json", "--set", "volume").code == 2
    assert "FH-PLN-006" in cli("plan", "solve", "plan.json", "--set", "vol=2").err
    assert cli("plan", "show", "nowhere.json").code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t_s,input_tokens,output_tokens\n", "no request"),
        ("t_s,input_tokens,output_tokens\n0,5,5\n1,-3,5\n", "line 3"),
        ("when,what\n1,2\n", "t_s"),
        ("t_s,input_tokens,output_tokens\n0,0,0\n60,0,0\n", "no call has a token"),
        ("arrival_s,prompt_tokens,output\n0,5,5\nNaN,5,5\n", "line 3: arrival_s is nan"),
        ("arrival_s,prompt_tokens,output\n0,five,5\n", "line 2: prompt_tokens is 'five'"),
        ("arrival_s,prompt_tokens,output,cached\n0,5,5,6\n", "line 2: cached is more than the input"),
    ],
)
def test_a_bad_trace_names_its_row(cli, folder, text, words):
    (folder / "bad.csv").write_text(text)
    told = cli("plan", "--trace", "bad.csv", *DAY)
    assert (told.code, words in told.err) == (1, True), told.err
    assert "FH-PLN-00" in told.err


def test_prompts_that_no_host_takes_are_no_saving(cli, folder):
    rows = [f"{at},20000,100" for at in range(0, 700000, 1000)]
    (folder / "long.csv").write_text("\n".join(["t_s,input_tokens,output_tokens", *rows]) + "\n")
    small = "huggingface_novita/meta-llama/Llama-3.1-8B-Instruct"  # 16,384 tokens at this host
    found = cli("plan", "--trace", "long.csv", *DAY, "--hosted", small, "--json").json["content"]
    best = found["workflows"][0]["options"][2]["best"]
    assert (best["variant"], best["meets"]) == (small, False)
    assert "context is 16,384" in best["why"]


def test_a_log_that_was_read_twice_or_has_a_hole_is_doubted(cli, folder):
    rows = [f"{at},500,100" for at in (*range(0, 300000, 600), *range(5000000, 5300000, 600)) for _ in range(2)]
    (folder / "odd.csv").write_text("\n".join(["t_s,input_tokens,output_tokens", *rows]) + "\n")
    red = cli("plan", "--trace", "odd.csv", *DAY, "--json").json["content"]["red"]
    assert any("50% of the calls are the same as another" in one for one in red)
    assert any("no call in 54 days of 61 days" in one for one in red)


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
