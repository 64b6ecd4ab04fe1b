"""The settings in force over the management API: values, and where each was set."""

from __future__ import annotations

from freehold.settings.load import load, parse


def by_name(told):
    return {one["name"]: one for one in told["settings"]}


def test_each_setting_tells_the_line_that_declares_it(instance, client):
    told = client.get("/api/config").json()
    found = by_name(told)
    lines = instance.loaded.file.read_text().splitlines()
    key = found["providers.v.api_key"]
    assert (key["kind"], key["value"]) == ("file", "${env:V_KEY}")
    assert lines[key["line"] - 1] == 'api_key = "${env:V_KEY}"' and key["origin"] == f"freehold.toml:{key['line']}"
    assert (found["gateway.port"]["kind"], found["gateway.port"]["line"]) == ("default", None)
    assert told["file"] == str(instance.loaded.file) and told["restart_needed"] == []


def test_a_variable_tells_its_name(instance, client):
    file = instance.loaded.file
    loaded = parse(file.read_bytes(), file, {("gateway", "port"): 9999}, str(instance.home))
    instance.adopt(loaded, "test")
    told = client.get("/api/config").json()
    port = by_name(told)["gateway.port"]
    assert (port["kind"], port["value"], port["line"]) == ("environment", 9999, None) and "PORT" in port["origin"]
    assert told["restart_needed"] == ["gateway"]


def test_a_reload_takes_what_the_file_says_now(instance, client, monkeypatch):
    file = instance.loaded.file
    file.write_text(file.read_text().replace("budget = 5", "budget = 7"))
    assert by_name(client.post("/api/config/reload").json())["teams.search.budget.limit"]["value"] == "7"
    assert load(str(file), str(instance.home)).settings == instance.settings
    file.write_text("nonsense = [")
    assert client.post("/api/config/reload").status_code == 422
