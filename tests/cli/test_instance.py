"""From `freehold up` to a verified receipt, by commands alone, through every process of an instance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from tests.cli.conftest import config, until


@pytest.fixture(scope="module")
def call(running):
    """One call through the door, as the ledger shows it."""
    told = running("chat", "--route", "assistant", "--json", "hello")
    assert told.code == 0, told.err + running.logs()
    found = told.json
    return {**found, "row": until(lambda: running("calls", "show", found["call"], "--json").json)}


def test_the_banner_says_what_is_needed(running):
    banner = running.banner
    assert banner["secret"].startswith("fh-")
    assert banner["label"] == "internal"
    assert banner["endpoints"]["gateway"].startswith("http://127.0.0.1:")
    assert running.home.joinpath("run", "admin.token").stat().st_mode & 0o077 == 0


def test_the_first_key_calls_through_the_gateway(running):
    request = urllib.request.Request(
        running.banner["endpoints"]["gateway"] + "/v1/chat/completions",
        json.dumps({"model": "assistant", "messages": [{"role": "user", "content": "hi"}]}).encode(),
        {"authorization": f"Bearer {running.banner['secret']}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["choices"]
    assert running.vendor.last.headers["authorization"] == f"Bearer {running.vendor.key}"


def test_the_gateway_has_no_management_route(running):
    for path in ("/api/keys", "/openapi.json", "/api/status"):
        request = urllib.request.Request(running.banner["endpoints"]["gateway"] + path)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 404
        caught.value.close()


def test_a_call_is_in_the_ledger_with_its_price(call):
    row = call["row"]["call"]
    assert (row["route"], row["target"], row["outcome"], row["price_source"]) == (
        "assistant",
        "rented",
        "ok",
        "freehold.toml",
    )
    assert row["cost"] == row["what_if"] != "0"
    assert row["label"] == "internal"


def test_calls_are_tailed_and_exported(running, call):
    assert call["call"] in running("calls", "tail").out
    exported = [json.loads(line)["call"]["id"] for line in running("calls", "export").out.splitlines()]
    assert call["call"] in exported


def test_usage_is_told_by_group(running, call):
    (row,) = [
        one for one in running("usage", "--by", "target,team", "--json").json if one["group"] == ["rented", "default"]
    ]
    assert row["calls"] >= 1
    assert "rented price" in running("usage").out
    assert running("usage", "--by", "colour").code == 2


def test_a_plan_is_made_from_the_instances_own_calls(running, call, tmp_path):
    file = tmp_path / "plan.json"
    told = running("plan", "--now", "openai/gpt-4o", "--out", str(file), "--json")
    assert told.code == 0, told.err
    made = json.loads(file.read_bytes())["content"]
    (work,) = made["inputs"]["works"]
    assert work["demand"]["trace"] == "ledger"
    assert work["now"]["sources"][0]["source"] == "target rented: freehold.toml"
    assert len(made["workflows"][0]["options"]) == 5


def test_the_instance_makes_plans_and_keeps_them_beside_those_they_come_from(running, call, tmp_path):
    told = running("plan", "--now", "openai/gpt-4o", "--date", "2026-11-01", "--keep", "--json")
    assert told.code == 0, told.err
    first = told.json["result"]["plan"]
    assert running("plan", "solve", first, "--set", "months=12", "--keep").code == 0
    (second,) = [one for one in running("plan", "list", "--json").json if one["of"]]
    assert (second["of"], second["levers"], second["months"]) == (first, {"months": 12.0}, 12)
    assert "do nothing" in running("plan", "show", second["id"]).out
    assert running("plan", "report", first, "--for", "cfo", "--out", str(tmp_path)).code == 0
    assert [one.name for one in tmp_path.iterdir()] == [f"{first}-cfo.html"]
    assert running("plan", "--keep", "--out", "x.json").code == 2
    assert running("plan", "show", "plan_0000000000000000").code == 1


def test_a_receipt_is_verified_from_a_file_with_the_public_key_alone(running, call, tmp_path):
    file = tmp_path / "receipt.json"
    until(lambda: running("receipts", "show", call["call"], "--to", str(file)).code == 0)
    key = json.loads(file.read_text())["public_key"]
    elsewhere = ("--home", str(tmp_path / "elsewhere"))
    assert running(*elsewhere, "receipts", "verify", str(file), "--public-key", key).code == 0
    assert running("receipts", "verify", str(file)).code == 0
    assert running("receipts", "verify", call["call"]).code == 0
    assert running(*elsewhere, "receipts", "verify", str(file)).code == 2
    assert running("receipts", "verify", str(file), "--public-key", "00" * 32).code == 4


def test_a_receipt_that_was_changed_fails_the_gate(running, call, tmp_path):
    receipt = until(lambda: running("receipts", "show", call["call"], "--json").json)
    receipt["statement"]["target"] = "owned"
    told = running("receipts", "verify", "-", given=json.dumps(receipt))
    assert told.code == 4
    assert "[fail]" in told.out


def test_keys_live_through_commands(running):
    made = running(
        "keys", "create", "app", "--label", "internal", "--route", "assistant", "--budget", "5", "--expires", "90d"
    )
    assert made.code == 0
    secret = made.out.strip()
    assert secret.startswith("fh-")
    assert secret not in running("keys", "list").out + running("keys", "show", "app").out + made.err
    assert running("keys", "update", "app", "--team", "search", "--json").json["team"] == "search"
    assert running("keys", "update", "app").code == 2
    again = running("keys", "rotate", "app", "--grace", "0s").out.strip()
    assert again != secret
    talk = ("chat", "--route", "assistant", "--json", "hello")
    assert until(lambda: running(*talk, FREEHOLD_KEY=again).code == 0)
    assert json.loads(running(*talk, FREEHOLD_KEY=secret).err)["error"]["code"] == "FH-KEY-003"
    assert running("keys", "revoke", "app").code == 0
    assert "app" not in running("keys", "list").out
    assert "app" in running("keys", "list", "--all").out


def test_a_key_may_be_used_the_moment_it_is_shown(running):
    secret = running("keys", "create", "hasty", "--label", "internal", "--json").json["secret"]
    request = urllib.request.Request(
        running.banner["endpoints"]["gateway"] + "/v1/models", headers={"authorization": f"Bearer {secret}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_an_error_of_the_gateway_is_shown_with_its_fix_on_a_line_of_its_own(running):
    told = running("chat", "--route", "nowhere", "hello").err
    assert "(hint" not in told
    assert "\n  fix   list the routes: " in told


def test_the_public_key_checks_receipts_of_this_instance_elsewhere(running, tmp_path, call):
    key = running("receipts", "public-key").out.strip()
    receipt = until(lambda: running("receipts", "show", call["call"], "--json").json)
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    elsewhere = ("receipts", "verify", str(tmp_path / "receipt.json"), "--home", str(tmp_path))
    assert running(*elsewhere, "--public-key", key).code == 0
    assert running(*elsewhere, "--public-key", "00" * 32).code == 4
    assert running(*elsewhere).code == 2


def test_explain_names_the_versions_in_force(running):
    explained = running("routes", "explain", "assistant", "--json").json
    assert explained["policy_version"] >= 1
    assert explained["routes_version"] >= 1


def test_a_restricted_call_never_reaches_the_vendor(running):
    before = len(running.vendor.requests)
    told = running("chat", "--route", "assistant", "--label", "restricted", "--json", "secret plans")
    assert told.code == 1
    assert json.loads(told.err)["error"]["code"] == "FH-POL-002"
    assert len(running.vendor.requests) == before
    explained = running("routes", "explain", "assistant", "--label", "restricted")
    assert "nowhere" in explained.out


def test_providers_are_checked(running):
    assert "error[FH-NOT-001]" in running("providers", "check", "nobody").err
    assert "[ok] vendor" in running("providers", "check").out


def test_doctor_finds_everything_well(running):
    told = running("doctor", "--json")
    assert [one for one in told.json if one["state"] == "fail"] == []
    assert {"gateway", "writer", "admin", "worker"} <= {one["about"] for one in told.json}
    assert told.code == 0


def test_doctor_looks_at_the_file_that_the_instance_goes_by(running, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "freehold", "doctor", "--home", str(running.home)],
        capture_output=True,
        text=True,
        env=running.environment(),
        cwd=tmp_path,
        check=False,
    )
    assert f"[ok] config: {running.config} is valid" in done.stdout


def test_doctor_names_a_provider_without_its_key(running):
    more = '[providers.poor]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "${env:NOT_SET_ANYWHERE}"\n'
    running.config.write_text(config(running.vendor, more + '[targets.poor]\nprovider = "poor"\n'))
    until(lambda: "poor" in running("providers", "list").out)
    told = running("doctor")
    assert told.code == 1
    assert "[fail] provider poor: ${env:NOT_SET_ANYWHERE} leads to nothing\n       fix " in told.out
    assert "NOT_SET_ANYWHERE is not set (fix: " in running("providers", "check", "poor").out
    running.config.write_text(config(running.vendor))
    until(lambda: "poor" not in running("providers", "list").out)


def test_a_change_of_the_file_is_taken_in_and_a_bad_one_is_not(running):
    running.config.write_text(config(running.vendor, '[routes.second]\ntargets = ["rented"]\n'))
    until(lambda: "second" in running("routes", "list").out)
    running.config.write_text(config(running.vendor, '[routes.third]\ntargets = ["nobody"]\n'))
    checked = running("config", "check")
    assert (checked.code, "FH-CFG-015" in checked.err) == (1, True)
    assert "second" in running("routes", "list").out
    assert running("doctor").code == 1
    running.config.write_text(config(running.vendor))
    until(lambda: "second" not in running("routes", "list").out)


def test_no_secret_is_in_any_log(running, call):
    logs = running.logs() + "".join(one.read_text() for one in (running.home / "logs").iterdir())
    assert running.vendor.key not in logs
    assert running.banner["secret"] not in logs
    assert (running.home / "run" / "admin.token").read_text() not in logs


def test_a_second_instance_in_the_same_home_is_refused(running):
    told = running("up")
    assert told.code == 1
    assert "FH-CON-001" in told.err


def test_a_taken_port_is_told_before_anything_starts(running, tmp_path):
    port = running.banner["endpoints"]["gateway"].rpartition(":")[2]
    told = running("--home", str(tmp_path / "other"), "up", FREEHOLD__GATEWAY__PORT=port)
    assert told.code == 1
    assert "FH-AVA-001" in told.err
    assert port in told.err
    assert not (tmp_path / "other" / "freehold.db").exists()


def test_a_killed_gateway_comes_back(running):
    def gateway():
        children = json.loads((running.home / "run" / "processes.json").read_text())["children"]
        return next(one for one in children if one["name"] == "gateway")

    pid = gateway()["pid"]
    os.kill(pid, 9)
    until(lambda: gateway()["phase"] == "ready" and gateway()["pid"] != pid)
    assert until(lambda: running("chat", "--route", "assistant", "again").code == 0)


def test_it_stops_in_order_and_shows_no_key_at_the_next_start(running):
    assert running.stop() == 0
    assert running("keys", "list").code == 1
    assert "FH-AVA-004" in running("keys", "list").err
    assert running.start()["secret"] == ""
    assert until(lambda: running("calls", "tail").out)
    assert running.stop() == 0
