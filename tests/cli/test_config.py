"""Commands that need no instance, and what every command does alike."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from freehold import __version__
from freehold.cli.main import COMMANDS
from freehold.settings.load import parse
from freehold.settings.template import TEMPLATE


def test_version_and_help_import_nothing_heavy():
    program = (
        "import sys; sys.argv = ['freehold', {!r}]; from freehold.__main__ import main\n"
        "try: main()\n"
        "finally: print(sorted(set(sys.modules) & {{'pydantic', 'sqlalchemy', 'fastapi', 'msgspec', 'uvicorn', 'rich',"
        " 'cryptography', 'click'}}))"
    )

    def heavy(option):
        done = subprocess.run(
            [sys.executable, "-c", program.format(option)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    assert heavy("--version") == "[]"
    assert heavy("--help") == "['click']"


def test_version(cli):
    assert cli("--version").out == f"freehold {__version__}\n"


def test_help_lists_every_command(cli):
    told = cli("--help")
    assert told.code == 0
    assert all(f"  {name} " in told.out for name, _ in COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["keys", "nonsense"], ["keys", "create"], ["config", "check", "--x"]]
)
def test_wrong_usage_exits_with_2(cli, arguments):
    told = cli(*arguments)
    assert (told.code, told.out) == (2, "")
    assert "Usage:" in told.err


def test_without_an_instance_a_command_says_how_to_start_one(cli):
    told = cli("keys", "list")
    assert (told.code, told.out) == (1, "")
    assert "error[FH-AVA-004]" in told.err
    assert "freehold up" in told.err


@pytest.mark.parametrize(
    "arguments", [["--home", "X", "keys", "list"], ["keys", "--home", "X", "list"], ["keys", "list", "--home", "X"]]
)
def test_the_home_may_stand_before_a_command_or_after_it(cli, tmp_path, arguments):
    assert f"no instance runs in {tmp_path / 'X'}" in cli(*arguments).err


def test_of_two_homes_the_one_nearer_to_the_end_counts(cli, tmp_path):
    assert f"in {tmp_path / 'Y'}" in cli("--home", "X", "usage", "--home", "Y").err


def test_the_file_may_stand_after_the_command_too(cli, tmp_path):
    (tmp_path / "mine.toml").write_text("[gateway]\nport = 9\n")
    assert cli("config", "check", "--config", "mine.toml").out == f"{tmp_path / 'mine.toml'} is valid\n"


def test_an_error_is_json_where_json_was_asked_for(cli):
    told = cli("keys", "list", "--json")
    assert json.loads(told.err)["error"]["code"] == "FH-AVA-004"


def test_the_file_of_init_is_valid_and_never_overwritten(cli, tmp_path):
    assert cli("config", "init").code == 0
    assert cli("config", "check").code == 0
    (tmp_path / "freehold.toml").write_text("# mine\n")
    assert cli("config", "init").code == 1
    assert (tmp_path / "freehold.toml").read_text() == "# mine\n"


def test_the_examples_in_the_file_of_init_are_valid_too():
    lines = [
        line.removeprefix("# ") if line.startswith("# [") or " = " in line else line for line in TEMPLATE.splitlines()
    ]
    found = parse("\n".join(lines).encode(), None, {}).settings
    assert found.routes["assistant"].baseline == "gpt"
    assert found.teams["search"].budget is not None


def test_check_tells_every_problem_and_exits_with_1(cli, tmp_path):
    (tmp_path / "freehold.toml").write_text("[gateway]\nprot = 1\n[amdin]\nport = 2\n")
    told = cli("config", "check")
    assert told.code == 1
    assert told.err.count("error[FH-CFG-012]") == 2
    problems = json.loads(cli("config", "check", "--json").err)["error"]["problems"]
    assert [one["where"] for one in problems] == ["freehold.toml:2", "freehold.toml:3"]


def test_show_says_where_settings_come_from(cli, tmp_path, monkeypatch):
    (tmp_path / "freehold.toml").write_text("[gateway]\nport = 1\n")
    monkeypatch.setenv("FREEHOLD__ADMIN__PORT", "2")
    found = {one["name"]: one for one in cli("config", "show", "--origin", "--json").json}
    assert found["gateway.port"] == {"name": "gateway.port", "value": 1, "origin": "freehold.toml:2"}
    assert found["admin.port"]["origin"] == "FREEHOLD__ADMIN__PORT"


def test_the_schema_knows_every_table(cli):
    assert {"gateway", "providers", "targets", "routes", "budgets"} <= set(cli("config", "schema").json["properties"])


def test_known_vendors_are_listed_without_an_instance(cli):
    assert "anthropic" in {one["name"] for one in cli("providers", "list", "--known", "--json").json}


def test_doctor_without_an_instance_changes_nothing(cli, tmp_path):
    told = cli("doctor", "--json")
    assert {one["about"] for one in told.json} >= {"python", "config", "home"}
    assert list(tmp_path.iterdir()) == []


def test_no_colour_is_a_word_not_a_code(cli, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in cli("doctor").out
    assert "[ok] python" in cli("doctor").out


def test_a_path_that_cannot_be_used_is_an_error_with_a_fix_and_no_traceback(cli, tmp_path):
    (tmp_path / "file").touch()
    told = cli("config", "init", str(tmp_path / "file" / "freehold.toml"))
    assert told.code == 1
    assert "error[FH-AVA-005]" in told.err
    assert "\n  fix " in told.err


def test_a_receipt_that_is_no_file_and_no_call_is_told_as_that(cli):
    told = cli("receipts", "verify", "nowhere.json")
    assert told.code == 2
    assert "there is no file nowhere.json" in told.err


def test_a_fetch_leaves_what_is_there(cli, weights):
    told = cli("models", "fetch", "--into", str(weights))
    assert told.code == 0
    assert sorted(told.out.split()) == [str(one) for one in sorted(weights.glob("*.gguf"))]
    assert "downloading" not in told.err
