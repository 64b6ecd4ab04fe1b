"""Guardrails of other gateways: what ours can look for comes over as rules, and the rest is named."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from freehold.guard.inspect import inspect
from freehold.guard.profile import compile_profile
from freehold.guard.settings import GuardSettings, profile
from freehold.guard.types import Piece
from freehold.settings.foreign.coming import Brought, bring

TODAY = date(2026, 11, 22)


def litellm(*guardrails: dict[str, Any], **more: Any) -> Brought:
    models = [{"model_name": "chat", "litellm_params": {"model": "openai/gpt-4o"}}]
    tree = {"model_list": models, "guardrails": list(guardrails), **more}
    return bring(json.dumps(tree).encode(), "litellm.yaml", TODAY)


def guardrail(name: str, maker: str, **params: Any) -> dict[str, Any]:
    return {"guardrail_name": name, "litellm_params": {"guardrail": maker, **params}}


def outcomes(brought: Brought) -> dict[str, str]:
    return {one.field: one.outcome for one in brought.fields}


def test_what_is_on_for_everybody_becomes_the_guard_of_every_route() -> None:
    entities = {"CREDIT_CARD": "BLOCK", "EMAIL_ADDRESS": "MASK", "ALIEN_ID": "MASK"}
    found = litellm(
        guardrail("pii", "presidio", mode="pre_call", default_on=True, pii_entities_config=entities, api_key="k"),
        guardrail("words", "litellm_content_filter", mode=["pre_call", "post_call"], default_on=True,
                  patterns=[{"pattern_type": "regex", "pattern": "PRJ-[0-9]{4}", "action": "MASK"},
                            {"pattern_type": "regex", "pattern": "(?<=x)y", "action": "MASK"},
                            {"pattern_type": "prebuilt", "pattern_name": "us_ssn", "action": "BLOCK"}],
                  blocked_words=[{"keyword": "bluebird", "action": "BLOCK"}]),
        guardrail("asked", "lakera_v2", mode="pre_call"),
        guardrail("other", "somebody_else", mode="pre_call", default_on=True),
    )  # fmt: skip
    assert not found.problems
    assert found.settings["routes"]["chat"]["guard"] == "imported"
    rules = found.settings["guard"]["imported"]["rules"]
    assert {"detector": "pii", "action": "block", "directions": ["in"], "kinds": ["CREDIT_CARD"]} in rules
    assert {"detector": "pii", "action": "redact", "directions": ["in"], "kinds": ["EMAIL"]} in rules
    assert {"detector": "pii", "action": "block", "kinds": ["US_SSN"]} in rules
    assert found.settings["guard"]["asked"]["rules"] == [
        {"detector": "injection", "action": "block", "directions": ["in"]}
    ]
    said = outcomes(found)
    base = "guardrails[{}].litellm_params"
    assert said[base.format(0) + ".pii_entities_config.ALIEN_ID"] == "not supported"
    assert said[base.format(0) + ".pii_entities_config.EMAIL_ADDRESS"] == "approximated"
    assert said[base.format(1) + ".patterns[0].pattern"] == "exact"
    assert said[base.format(1) + ".patterns[1].pattern"] == "not supported"
    assert said[base.format(3) + ".guardrail"] == "not supported"


def test_what_came_over_does_what_it_did_there() -> None:
    found = litellm(
        guardrail("words", "litellm_content_filter", mode="pre_call", default_on=True,
                  patterns=[{"pattern_type": "regex", "pattern": "PRJ-[0-9]{4}", "action": "MASK"}],
                  blocked_words=[{"keyword": "bluebird", "action": "BLOCK"}])
    )  # fmt: skip
    made = profile("imported", GuardSettings.model_validate(found.settings["guard"]["imported"]))
    guard = compile_profile(made)
    see = lambda text: inspect(guard, [Piece(text)], "in")  # noqa: E731
    assert see("see PRJ-1234 now").texts[0] != "see PRJ-1234 now"
    assert not see("see PRJ-1234 now").blocked
    assert see("the BlueBird flies").blocked
    assert see("nothing here") == inspect(guard, [Piece("nothing here")], "out")


def test_portkeys_checks_short_and_long() -> None:
    config = {
        "provider": "openai",
        "override_params": {"model": "gpt-4o"},
        "input_guardrails": [{"default.contains": {"operator": "none", "words": ["secret plan"]}, "deny": True}, "id-1"],
        "before_request_hooks": [
            {"type": "guardrail", "deny": True, "checks": [
                {"id": "default.regexMatch", "parameters": {"rule": "ACME-[0-9]+", "not": False}},
                {"id": "portkey.pii", "parameters": {"categories": ["EMAIL_ADDRESS"], "redact": True}},
                {"id": "default.jwt", "parameters": {"x": 1}},
            ]}
        ],
        "output_guardrails": [{"portkey.moderateContent": {"categories": ["hate"]}, "deny": False}],
    }  # fmt: skip
    found = bring(json.dumps(config).encode(), "support.json", TODAY)
    assert not found.problems
    guard = found.settings["guard"][found.settings["routes"]["support"]["guard"]]
    assert [one.get("words") or one.get("pattern") for one in guard["custom"]] == [["secret plan"], "ACME-[0-9]+"]
    assert {"detector": "pii", "action": "redact", "directions": ["in"], "kinds": ["EMAIL"]} in guard["rules"]
    assert {"detector": "moderation", "action": "flag", "directions": ["out"]} in guard["rules"]
    said = outcomes(found)
    assert said["input_guardrails[1]"] == "not supported"
    assert said["before_request_hooks[0].checks[2].id"] == "not supported"


def test_bifrosts_rules_say_where_its_providers_look() -> None:
    config = {
        "providers": {"openai": {"keys": [{"value": "env.K", "models": ["gpt-4o"]}]}},
        "guardrails_config": {
            "guardrail_providers": [
                {"id": 1, "provider_name": "regex", "enabled": True,
                 "config": {"patterns": [{"pattern": "acme-[0-9]+", "flags": "i"}], "mode": "block"}},
                {"id": 2, "provider_name": "bedrock", "enabled": True, "config": {"guardrail_arn": "arn"}},
                {"id": 3, "provider_name": "patronus", "enabled": True, "config": {}},
                {"id": 4, "provider_name": "regex", "enabled": True, "config": {"patterns": []}},
            ],
            "guardrail_rules": [
                {"id": 9, "enabled": True, "apply_to": "input", "provider_config_ids": [1, 2, 3], "sampling_rate": 50},
                {"id": 10, "enabled": False, "apply_to": "both", "provider_config_ids": [4]},
            ],
        },
    }  # fmt: skip
    found = bring(json.dumps(config).encode(), "bifrost.json", TODAY)
    assert not found.problems
    assert found.settings["routes"]["openai/gpt-4o"]["guard"] == "imported"
    guard = found.settings["guard"]["imported"]
    assert guard["custom"] == [{"name": "imported-1", "pattern": "(?i)acme-[0-9]+"}]
    assert {"detector": "moderation", "action": "block", "directions": ["in"]} in guard["rules"]
    said = outcomes(found)
    assert said["guardrails_config.guardrail_providers[2].provider_name"] == "not supported"
    assert said["guardrails_config.guardrail_providers[3].provider_name"] == "not supported"
    assert said["guardrails_config.guardrail_rules[0].sampling_rate"] == "approximated"
