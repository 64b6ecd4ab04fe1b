"""`freehold policy` from the file alone: what it says, and its exit codes."""

from __future__ import annotations

import pytest

CONFIG = """
[policy]
regions = ["EU"]
cedar = "rules.cedar"
[providers.v]
base_url = "https://127.0.0.2:8443/v1"
region = "EU"
[providers.house]
base_url = "http://127.0.0.1:9/v1"
owned = true
region = "EU"
[targets.rented]
provider = "v"
clearance = "confidential"
[targets.own]
provider = "house"
[routes.r]
targets = ["rented", "own"]
"""
CASES = '[[cases]]\nlabel = "internal"\ntarget = "rented"\nteam = "it"\nexpect = "allow"\n'


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "freehold.toml").write_text(CONFIG)
    (tmp_path / "rules.cedar").write_text(
        'permit(principal, action, resource);\n@id("hr stays") forbid(principal == Team::"hr", action, resource) '
        "unless { resource.owned };\n"
    )
    (tmp_path / "cases.toml").write_text(CASES)
    return tmp_path


def test_check_says_what_is_in_vain(cli, file):
    told = cli("policy", "check")
    assert told.code == 0 and "[targets.rented]: would be refused what it is cleared for" in told.out
    assert "nothing is known of trains_by_default at provider/v" in told.out
    assert cli("policy", "check", "--strict").code == 4


def test_check_names_what_is_wrong_with_the_rules(cli, file):
    (file / "rules.cedar").write_text("permit(principal, action, resource) when { resource.ownd };")
    told = cli("policy", "check")
    assert told.code == 1 and "FH-CFG-020" in told.err and "ownd" in told.err


def test_explain_names_the_tenants_rule(cli, file):
    told = cli("policy", "explain", "rented", "--file", "--label", "internal", "--team", "hr")
    assert told.code == 0 and "may not go" in told.out and "hr stays" in told.out
    assert cli("policy", "explain", "own", "--file", "--json").json["allowed"]
    missing = cli("policy", "explain", "rentd", "--file")
    assert missing.code == 1 and "there are: own, rented" in missing.err


def test_the_table_says_which_rule_refuses(cli, file):
    told = cli("policy", "table", "--file", "--team", "it")
    rows = {line.split()[0]: line.split()[1:] for line in told.out.splitlines()}
    assert rows["label"] == ["own", "rented"] and rows["internal"] == ["yes", "yes"]
    assert rows["confidential"] == ["yes", "vendor"] and rows["restricted"] == ["yes", "clearance"]


def test_expectations_that_are_not_met_stop_a_pipeline(cli, file):
    assert cli("policy", "test", "cases.toml", "--file").code == 0
    (file / "cases.toml").write_text(CASES + CASES.replace('"it"', '"hr"'))
    told = cli("policy", "test", "cases.toml", "--file")
    assert told.code == 4 and "1 of 2 as expected" in told.out and "hr stays" in told.out
    for bad in ("", '[[cases]]\nlabel = "internal"\n', "nothing", CASES.replace("allow", "maybe")):
        (file / "cases.toml").write_text(bad)
        assert cli("policy", "test", "cases.toml", "--file").code in (1, 4)


def test_a_firewall_names_the_addresses(cli, file):
    told = cli("policy", "firewall", "--file", "--user", "freehold")
    assert "127.0.0.2 . 8443," in told.out and "skuid freehold" in told.out
    assert cli("policy", "firewall", "--file", "--user", "a b").code == 1


def test_without_an_instance_the_file_can_be_asked(cli, file):
    told = cli("policy", "table")
    assert told.code == 1 and "no instance runs" in told.err
