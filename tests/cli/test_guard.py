from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from freehold.cli.main import freehold

FILE = """
[guard.bank]
rules = [
  { detector = "pii", kinds = ["US_SSN"], action = "block" },
  { detector = "pii", action = "redact" },
]
"""


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "freehold.toml").write_text(FILE)

    def run(*words, stdin=None):
        place = ["--config", str(tmp_path / "freehold.toml"), "--home", str(tmp_path / "home")]
        return CliRunner().invoke(freehold, ["guard", *words, *place], input=stdin, standalone_mode=False)

    return run


def test_a_profile_is_tried_on_a_text(ask):
    told = ask("test", "write to a@b.de now", "--profile", "bank")
    assert told.return_value == 0
    assert "write to [EMAIL] now" in told.stdout
    assert "redact" in told.stdout


def test_findings_are_told_as_json(ask, tmp_path):
    file = tmp_path / "text"
    file.write_text("my SSN is 078-05-1121")
    told = ask("test", "-f", str(file), "--profile", "bank", "--json")
    found = json.loads(told.stdout)
    assert (found["blocked"], found["text"]) == ("US_SSN", None)
    assert [(one["kind"], one["action"], one["found"]) for one in found["findings"]] == [
        ("US_SSN", "block", "078-05-1121")
    ]


def test_a_blocked_text_fails_the_gate_where_asked(ask):
    assert ask("test", "-f", "-", "--profile", "bank", "--strict", stdin="my SSN is 078-05-1121").return_value == 4
    assert ask("test", "--profile", "bank", "--strict", "fine").return_value == 0


def test_a_text_is_needed_and_a_profile_that_exists(ask):
    assert ask("test").exception is not None
    assert "there is no profile" in str(ask("test", "x", "--profile", "bnak").exception)
    assert "no such file" in str(ask("test", "-f", "/nowhere/at/all").exception).lower()


def test_profiles_and_detectors_are_listed(ask):
    assert {"bank", "protect", "strict", "watch"} <= {
        one["profile"] for one in json.loads(ask("profiles", "--json").stdout)
    }
    assert "EMAIL" in ask("list").stdout
