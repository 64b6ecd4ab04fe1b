"""The tables `[engines.NAME]`: one way to reach each, no name taken twice, no secret in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from freehold.settings.checks import check
from freehold.settings.compile import routes
from freehold.settings.engine_checks import engine_targets
from freehold.settings.engines import attachments
from freehold.settings.environment import resolve_secret
from freehold.settings.tree import Settings

URL = {"kind": "vllm", "url": "https://gpu-1:8000/v1", "model": "qwen"}
COMMAND = {"kind": "sglang", "command": ["python", "-m", "sglang.launch_server"], "model": "qwen-1"}


def made(**tables):
    return Settings.model_validate({"engines": tables})


@pytest.mark.parametrize(
    "table",
    [
        {**URL, "url": ""},
        {**URL, "command": ["x"]},
        {**URL, "arguments": ["x"]},
        {**URL, "api_key": "sk-plain"},
        {**COMMAND, "api_key": "${env:KEY}"},
        {**URL, "kind": "tgi"},
        {"kind": "vllm", "url": "https://x"},
    ],
)
def test_a_table_that_says_too_little_or_too_much_is_refused(table):
    with pytest.raises(ValidationError):
        made(gpu=table)


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"gpu": {**URL, "url": "http://gpu-1:8000"}}, "plain http"),
        ({"chat": URL}, "owned-chat"),
        ({"a b": URL}, "cannot be the name"),
        ({"gpu": {**URL, "adapters": {"tickets": "t-1"}}}, "cannot be an adapter's target"),
        ({"a": {**URL, "adapters": {"owned-b": "t-1"}}, "b": URL}, "owned-b"),
    ],
)
def test_what_no_single_table_sees_is_found(tables, why):
    try:
        found = check(made(**tables), {"engines": set(tables)})
    except ValidationError as error:
        assert "name" in str(error)  # noqa: PT017  refused by the form of names already
        return
    assert any(why in one.message for one in found), [one.message for one in found]


def test_routes_may_name_what_engines_give():
    settings = Settings.model_validate(
        {
            "engines": {"gpu": {**URL, "adapters": {"owned-tickets": "t-1"}}},
            "routes": {"main": {"targets": ["owned-gpu"]}},
        }
    )
    assert engine_targets(settings) == ("owned-gpu", "owned-tickets")
    assert not [one for one in check(settings, {"routes": {"main"}}) if "owned-gpu" in one.message]
    assert [one.name for one in routes(settings, ()).routes if one.name == "main"] == ["main"]


def test_an_engine_started_here_gets_a_key_that_only_we_can_read(tmp_path):
    (one,) = attachments(made(gpu=COMMAND), tmp_path, resolve_secret)
    assert one.address.host == "127.0.0.1"
    assert resolve_secret(one.credential) == one.address.secret
    file = Path(one.secret_file)
    assert json.loads(file.read_text()) == {"api-key": one.address.secret}
    assert file.stat().st_mode & 0o077 == 0


def test_a_missing_key_of_an_engine_elsewhere_keeps_nothing_from_starting(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    (one,) = attachments(made(gpu={**URL, "api_key": "${env:NO_SUCH_KEY}"}), tmp_path, resolve_secret)
    assert one.address.secret == ""
    assert one.credential == "${env:NO_SUCH_KEY}"
