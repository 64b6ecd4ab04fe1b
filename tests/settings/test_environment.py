"""Secrets are read by reference; what goes wrong is told without them."""

from __future__ import annotations

import pytest

from freehold.settings.environment import overrides, resolve_secret
from freehold.settings.errors import MissingSecret
from freehold.settings.last_good import in_force, keep
from freehold.settings.load import load
from freehold.settings.location import Endpoints, home_of, read_endpoints, write_endpoints
from freehold.settings.problems import InvalidConfig


def test_a_variable_is_read_when_asked(monkeypatch):
    monkeypatch.setenv("VENDOR_KEY", "sk-1")
    assert resolve_secret("${env:VENDOR_KEY}") == "sk-1"


def test_a_file_is_read_without_its_last_newline(tmp_path):
    (tmp_path / "key").write_text("sk-2\n")
    assert resolve_secret(f"${{file:{tmp_path / 'key'}}}") == "sk-2"


def test_no_reference_is_no_secret():
    assert resolve_secret("") == ""


@pytest.mark.parametrize("reference", ["${env:NOT_SET_ANYWHERE}", "${file:/nowhere/at/all}", "${vault:x}"])
def test_what_leads_nowhere_is_an_error(reference):
    with pytest.raises(MissingSecret) as caught:
        resolve_secret(reference)
    assert caught.value.code == "FH-CFG-019"


def test_a_secret_that_would_break_a_header_is_refused_and_not_told(monkeypatch):
    monkeypatch.setenv("VENDOR_KEY", "sk-3\r\nx-evil: 1")
    with pytest.raises(MissingSecret) as caught:
        resolve_secret("${env:VENDOR_KEY}")
    assert "sk-3" not in str(caught.value.as_dict())


def test_overrides_are_toml_where_they_parse(monkeypatch):
    monkeypatch.setenv("FREEHOLD__GATEWAY__PORT", "9")
    monkeypatch.setenv("FREEHOLD__GATEWAY__HOST", "0.0.0.0")
    monkeypatch.setenv("FREEHOLD__POLICY__AIR_GAPPED", "true")
    assert overrides() == {
        ("gateway", "port"): 9,
        ("gateway", "host"): "0.0.0.0",
        ("policy", "air_gapped"): True,
    }


def test_home_is_as_named_then_as_the_variable_then_as_the_file_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert home_of(None, None) == tmp_path / ".freehold"
    (tmp_path / "freehold.toml").write_text('[instance]\nhome = "data"\n')
    assert home_of(None, None) == tmp_path / "data"
    monkeypatch.setenv("FREEHOLD_HOME", str(tmp_path / "other"))
    assert home_of(None, None) == tmp_path / "other"
    assert home_of(None, "named") == tmp_path / "named"


def test_a_file_that_went_bad_leaves_the_settings_that_were_in_force(tmp_path):
    file = tmp_path / "freehold.toml"
    file.write_text('[gateway]\nport = 9\n[providers.v]\nbase_url = "https://v.example"\napi_key = "${env:K}"\n')
    keep(load(str(file), str(tmp_path / "home")))
    file.write_text("[gateway\n")
    found = in_force(str(file), tmp_path / "home").settings
    assert (found.gateway.port, found.providers["v"].api_key) == (9, "${env:K}")


def test_a_bad_file_without_any_before_it_is_an_error(tmp_path):
    file = tmp_path / "freehold.toml"
    file.write_text("[gateway\n")
    with pytest.raises(InvalidConfig):
        in_force(str(file), tmp_path / "home")


def test_endpoints_are_left_for_clients(tmp_path):
    assert read_endpoints(tmp_path) is None
    write_endpoints(tmp_path, Endpoints("http://g", "http://a"))
    assert read_endpoints(tmp_path) == Endpoints("http://g", "http://a")
    (tmp_path / "run" / "endpoints.json").write_text("not json")
    assert read_endpoints(tmp_path) is None
