"""Coming over: nothing is passed over in silence, no key is copied, and what comes out is a file of ours."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, FreeholdError
from freehold.settings.foreign.coming import Brought, bring
from freehold.settings.foreign.document import Document
from freehold.settings.load import parse

TODAY = date(2026, 11, 22)
KEY = "sk-not-to-be-seen-0123456789"


def outcomes(brought: Brought) -> dict[str, str]:
    return {one.field: one.outcome for one in brought.fields}


def litellm(*deployments: dict[str, Any], **more: Any) -> Brought:
    return bring(json.dumps({"model_list": list(deployments), **more}).encode(), "litellm.yaml", TODAY)


def deployment(group: str, model: str, **params: Any) -> dict[str, Any]:
    return {"model_name": group, "litellm_params": {"model": model, **params}}


def test_a_group_becomes_a_route_whose_members_share_by_weight() -> None:
    found = litellm(
        deployment("chat", "openai/gpt-4o", api_key="os.environ/FIRST", weight=2),
        deployment("chat", "azure/gpt-4o-eu", api_key="os.environ/SECOND", api_base="https://eu.example.com/"),
    )
    assert found.settings["routes"]["chat"]["targets"] == [
        [{"target": "gpt-4o", "weight": 2.0}, {"target": "gpt-4o-eu", "weight": 1.0}]
    ]
    assert found.settings["providers"]["openai"] == {"vendor": "openai", "api_key": "${env:FIRST}"}
    assert found.settings["providers"]["azure"]["base_url"] == "https://eu.example.com/openai/v1"
    said = outcomes(found)
    assert said["model_list[0].litellm_params.weight"] == "exact"
    assert said["model_list[1].litellm_params.api_base"] == "approximated"


def test_fallbacks_follow_and_aliases_lead_there() -> None:
    found = litellm(
        deployment("big", "anthropic/claude-sonnet-4-5"),
        deployment("small", "mistral/mistral-small"),
        litellm_settings={"fallbacks": [{"big": ["small", "nowhere"]}], "num_retries": 4},
        router_settings={"model_group_alias": {"gpt-4": "big"}, "routing_strategy": "least-busy"},
    )
    route = found.settings["routes"]["big"]
    assert route["targets"] == ["claude-sonnet-4-5", "mistral-small"]
    assert (route["attempts"], route["choose"], route["aliases"]) == (5, "least_loaded", ["gpt-4"])
    said = outcomes(found)
    assert said["litellm_settings.fallbacks[0].big[0]"] == "exact"
    assert said["litellm_settings.fallbacks[0].big[1]"] == "not supported"


@pytest.mark.parametrize(
    ("params", "seconds"),
    [
        ({}, 600.0),
        ({"type": "redis", "ttl": 90}, 90.0),
        ({"type": "qdrant-semantic"}, None),
        ({"mode": "default_off"}, None),
    ],
)
def test_a_cache_comes_over_where_it_is_one_of_equal_requests(params: dict, seconds: float | None) -> None:
    found = litellm(
        deployment("chat", "openai/gpt-4o"),
        litellm_settings={"cache": True, "cache_params": params},
        router_settings={"routing_strategy": "latency-based-routing"},
    )
    route = found.settings["routes"]["chat"]
    assert route.get("cache") == (None if seconds is None else {"seconds": seconds}) and route["choose"] == "fastest"
    assert outcomes(found)["litellm_settings.cache"] == ("not supported" if seconds is None else "approximated")
    assert not found.problems


def test_prices_a_token_become_prices_a_million_exactly() -> None:
    found = litellm(
        deployment("chat", "openai/gpt-4o", input_cost_per_token=0.00000015, output_cost_per_token=0.0000006)
    )
    price = found.settings["targets"]["gpt-4o"]["price"]
    assert (price["input"], price["output"], price["as_of"]) == ("0.15", "0.6", "2026-11-22")


def test_a_server_of_ones_own_is_trusted_with_nothing_until_its_owner_says_so() -> None:
    found = litellm(deployment("local", "ollama/llama3", api_base="http://gpu.example.com:11434"))
    assert found.settings["providers"]["ollama"] == {"base_url": "http://gpu.example.com:11434/v1"}
    assert not found.settings["providers"]["ollama"].get("owned")
    assert "plain http" in found.problems[0]
    assert any("owned = true" in one.note for one in found.fields)


def test_a_portkey_config_becomes_one_route_with_its_nested_strategies() -> None:
    config = {
        "strategy": {"mode": "fallback", "on_status_codes": [429]},
        "retry": {"attempts": 2},
        "cache": {"mode": "simple"},
        "targets": [
            {
                "strategy": {"mode": "loadbalance"},
                "targets": [
                    {"provider": "openai", "api_key": KEY, "weight": 0.75, "override_params": {"model": "gpt-4o"}},
                    {"provider": "groq", "weight": 0.25, "override_params": {"model": "llama-3.3-70b"}},
                ],
            },
            {"provider": "anthropic", "virtual_key": "team-1", "override_params": {"model": "claude-haiku-4-5"}},
        ],
    }
    found = bring(json.dumps(config).encode(), "support.json", TODAY)
    assert found.kind == "portkey"
    assert found.settings["routes"]["support"]["targets"] == [
        [{"target": "gpt-4o", "weight": 0.75}, {"target": "llama-3.3-70b", "weight": 0.25}],
        [{"target": "claude-haiku-4-5", "weight": 1.0}],
    ]
    assert outcomes(found)["cache.mode"] == "not supported"
    assert outcomes(found)["targets[0].targets[0].api_key"] == "approximated"


def test_bifrosts_models_budgets_and_teams_come_over() -> None:
    config = {
        "providers": {
            "openai": {"keys": [{"name": "one", "value": "env.OPENAI_KEY", "models": ["gpt-4o", "*"], "weight": 1}]},
            "bedrock": {"keys": [{"value": KEY}]},
        },
        "governance": {
            "teams": [{"id": "t1", "name": "Search", "budget_id": "b1"}],
            "virtual_keys": [{"id": "v1", "name": "app", "value": KEY, "budget_id": "b2"}],
            "budgets": [
                {"id": "b1", "max_limit": 50, "reset_duration": "1M"},
                {"id": "b2", "max_limit": 5, "reset_duration": "30s"},
            ],
        },
    }
    found = bring(json.dumps(config).encode(), "config.json", TODAY)
    assert found.kind == "bifrost"
    assert found.settings["routes"] == {"openai/gpt-4o": {"targets": ["gpt-4o"]}}
    assert found.settings["budgets"] == [{"owner": "team/Search", "limit": "50", "period": "month"}]
    said = outcomes(found)
    assert said["governance.budgets[1].max_limit"] == "not supported"
    assert said["governance.virtual_keys[0].budget_id"] == "not supported"
    assert said["providers.bedrock.keys[0].value"] == "not supported"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"", "x.yaml"),
        (b"- 1\n- 2", "x.yaml"),
        (b"a: [", "x.yaml"),
        (b"\xff\xfe", "x.yaml"),
        (b"{", "x.json"),
        (b"[" * 100_000, "x.json"),
        (b"colour: red", "x.yaml"),
        (b"a: &a [*a]", "x.yaml"),
        (b"model_list: &a [*a]", "x.yaml"),
    ],
)
def test_what_is_no_configuration_is_told(raw: bytes, name: str) -> None:
    with pytest.raises(BadRequest):
        bring(raw, name, TODAY)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10), st.text(max_size=12), st.sampled_from(["openai/gpt-4o", "*"])
)
FIELDS = st.sampled_from(
    ["model_name", "litellm_params", "model", "api_key", "api_base", "weight", "order", "provider", "targets", "strategy",
     "mode", "keys", "models", "value", "budget_id", "id", "name", "fallbacks", "retry", "attempts", "network_config",
     "base_url", "override_params", "budgets", "teams", "router_settings", "litellm_settings", "governance"]
)  # fmt: skip
TREES = st.recursive(
    PLAIN, lambda one: st.one_of(st.lists(one, max_size=3), st.dictionaries(FIELDS, one, max_size=5)), max_leaves=25
)
ROOTS = st.one_of(
    st.builds(lambda rows, rest: {**rest, "model_list": rows}, st.lists(TREES, max_size=3), st.dictionaries(FIELDS, TREES, max_size=3)),
    st.builds(lambda table, rest: {**rest, "providers": table}, st.dictionaries(st.sampled_from(["openai", "ollama", "x"]), TREES), st.dictionaries(FIELDS, TREES, max_size=3)),
    st.builds(lambda rows, rest: {**rest, "provider": "openai", "targets": rows}, st.lists(TREES, max_size=3), st.dictionaries(FIELDS, TREES, max_size=3)),
)  # fmt: skip


@given(ROOTS)
@settings(max_examples=100, deadline=None)
def test_whatever_a_file_holds_each_field_is_told_once_and_the_result_is_ours(root: dict[str, Any]) -> None:
    try:
        found = bring(json.dumps(root).encode(), "route.json", TODAY)
    except FreeholdError:
        return
    assert [one.field for one in found.fields] == [one.field for one in Document(root).told()]
    if not found.problems:
        parse(found.text().encode(), None, {})


def test_no_key_stands_in_what_is_told_or_written() -> None:
    found = litellm(
        deployment("chat", "openai/gpt-4o", api_key=KEY, aws_secret_access_key=KEY),
        general_settings={"master_key": KEY},
        router_settings={"redis_password": KEY},
    )
    assert KEY not in found.text()
    assert KEY not in str(found.fields)
    assert tomllib.loads(found.text())["providers"]["openai"]["api_key"] == "${env:OPENAI_API_KEY}"


def test_a_server_that_is_not_the_vendors_gets_neither_its_key_nor_its_terms() -> None:
    found = litellm(
        deployment("a", "openai/one", api_key=KEY),
        deployment("b", "openai/two", api_key=KEY, api_base="https://models.lab.example/v1"),
        deployment("c", "openai/three", api_base="http://127.0.0.1:8000/v1"),
        deployment("d", "openai/four", api_base="https://eu.api.openai.com/v1"),
    ).settings
    by_model = {one["model"]: found["providers"][one["provider"]] for one in found["targets"].values()}
    assert by_model["one"] == {"vendor": "openai", "api_key": "${env:OPENAI_API_KEY}"}
    assert by_model["two"] == {
        "base_url": "https://models.lab.example/v1",
        "api_key": "${env:MODELS_LAB_EXAMPLE_API_KEY}",
    }
    assert by_model["three"] == {"base_url": "http://127.0.0.1:8000/v1"}
    assert (by_model["four"]["vendor"], by_model["four"]["api_key"]) == ("openai", "${env:OPENAI_API_KEY}")


def test_what_has_a_place_of_its_own_here_is_told_with_it() -> None:
    found = litellm(
        deployment("chat", "openai/gpt-4o", guardrails=["pii"]), mcp_servers={"zap": {"url": "https://mcp.example.com"}}
    )
    notes = {one.field: one.note for one in found.fields}
    assert "[mcp.NAME]" in notes["mcp_servers.zap.url"]
    assert "[guard.*]" in notes["model_list[0].litellm_params.guardrails[0]"]


@pytest.mark.parametrize(
    "root",
    [
        {
            "provider": "openai",
            "api_key": KEY,
            "custom_host": "https://lab.example/v1",
            "override_params": {"model": "m"},
        },
        {"providers": {"openai": {"keys": [{"value": KEY}], "network_config": {"base_url": "https://lab.example"}}}},
    ],
)
def test_nor_does_it_from_others_files(root: dict[str, Any]) -> None:
    found = bring(json.dumps(root).encode(), "file.json", TODAY).settings["providers"]["openai"]
    assert found == {"base_url": "https://lab.example/v1", "api_key": "${env:LAB_EXAMPLE_API_KEY}"}
