"""Drivers and vendor rows: what is sent to whom."""

from __future__ import annotations

import json
import re
from datetime import date
from urllib.parse import urlsplit

import pytest

from freehold.core.label import Label
from freehold.core.permit import Origin
from freehold.gateway.dialects.registry import DIALECTS, dialect
from freehold.gateway.providers.anthropic import AnthropicDriver
from freehold.gateway.providers.openai import OpenAiDriver
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.providers.vendors import VENDORS, vendor, vendor_names
from freehold.gateway.routing.table import Health, Stop
from freehold.policy.targets import Target
from freehold.settings.addresses import address_of


def target(**more) -> Target:
    base = {"name": "t", "provider": "p", "driver": "openai", "dialects": ("openai_chat",), "model": "m"}
    return Target(**base, origin=Origin("https", "x", 443), clearance=Label(), **more)


def test_the_key_goes_where_each_vendor_looks_for_it():
    assert OpenAiDriver().headers(target(), "k", "openai_chat") == [("authorization", "Bearer k")]
    assert AnthropicDriver().headers(target(), "k", "anthropic_messages") == [
        ("x-api-key", "k"),
        ("anthropic-version", "2023-06-01"),
    ]


def test_a_target_without_a_key_gets_none():
    assert OpenAiDriver().headers(target(), "", "openai_chat") == []


def test_a_targets_own_headers_go_along_and_may_name_another_version():
    own = target(headers=(("Anthropic-Version", "2099-01-01"), ("x-team", "a")))
    assert AnthropicDriver().headers(own, "k", "anthropic_messages")[1:] == list(own.headers)


def test_quirks_change_the_words_of_a_translated_request():
    request = dialect("anthropic_messages").decode_request(
        b'{"model":"r","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"x"}]}'
    )
    adapted, restore = OpenAiDriver().adapt(target(quirks=("max_tokens", "no_stream_options")), request)
    sent = json.loads(dialect("openai_chat").encode_request(adapted, "m")[0])
    assert restore is None
    assert (sent["max_tokens"], "max_completion_tokens" in sent, "stream_options" in sent) == (5, False, False)
    assert OpenAiDriver().adapt(target(), request)[0] is request


def test_drivers_and_vendors_are_sorted_and_fit_together():
    names = [one.name for one in DRIVERS]
    assert names == sorted(set(names))
    assert list(vendor_names()) == sorted(set(vendor_names()))
    assert {one.driver for one in VENDORS} <= set(names)
    assert {name for one in VENDORS for name in one.dialects} <= {one.name for one in DIALECTS}


@pytest.mark.parametrize("row", VENDORS, ids=lambda row: row.name)
def test_a_row_is_complete(row):
    assert vendor(row.name) is row
    if row.base_url:
        url = urlsplit(row.base_url)
        assert (url.query, url.username) == ("", None) and not row.base_url.endswith("/")
        assert url.scheme == "https" or (url.hostname == "127.0.0.1" and "owned = true" in row.note)
    else:
        assert "base_url is https://" in row.note
    assert re.fullmatch(r"[A-Z][A-Z0-9_]+", row.key_env) or "owned = true" in row.note
    assert row.source.startswith("https://")
    assert date.fromisoformat(row.as_of)


AZURE, VERTEX = "https://r.openai.azure.com", "https://europe-west4-aiplatform.googleapis.com"
PROJECT = "/v1/projects/p/locations/europe-west4/endpoints/openapi"
WIRES = (
    ("azure", f"{AZURE}/openai/v1", "openai_chat", "/openai/v1/chat/completions", "api-key: k"),
    ("azure", f"{AZURE}/openai/v1", "openai_responses", "/openai/v1/responses", "api-key: k"),
    (
        "azure",
        f"{AZURE}/openai/deployments/{{model}}?api-version=2024-10-21",
        "openai_chat",
        "/openai/deployments/m%2F1/chat/completions?api-version=2024-10-21",
        "api-key: k",
    ),
    ("cohere", "", "openai_chat", "/compatibility/v1/chat/completions", "authorization: Bearer k"),
    ("cohere-rerank", "", "rerank", "/v2/rerank", "authorization: Bearer k"),
    ("deepseek", "", "openai_chat", "/v1/chat/completions", "authorization: Bearer k"),
    ("fireworks", "", "openai_completions", "/inference/v1/completions", "authorization: Bearer k"),
    ("groq", "", "openai_transcriptions", "/openai/v1/audio/transcriptions", "authorization: Bearer k"),
    ("jina", "", "rerank", "/v1/rerank", "authorization: Bearer k"),
    ("llama-server", "", "rerank", "/v1/rerank", "authorization: Bearer k"),
    ("lm-studio", "", "openai_chat", "/v1/chat/completions", "authorization: Bearer k"),
    ("mistral", "", "openai_moderations", "/v1/moderations", "authorization: Bearer k"),
    ("ollama", "", "openai_embeddings", "/v1/embeddings", "authorization: Bearer k"),
    ("openai", "", "openai_images", "/v1/images/generations", "authorization: Bearer k"),
    ("openai", "", "openai_speech", "/v1/audio/speech", "authorization: Bearer k"),
    ("openrouter", "", "openai_chat", "/api/v1/chat/completions", "authorization: Bearer k"),
    ("sglang", "", "openai_completions", "/v1/completions", "authorization: Bearer k"),
    ("together", "", "rerank", "/v1/rerank", "authorization: Bearer k"),
    ("vertex-openai", VERTEX + PROJECT, "openai_chat", f"{PROJECT}/chat/completions", "authorization: Bearer k"),
    ("vllm", "", "rerank", "/v1/rerank", "authorization: Bearer k"),
    ("voyage", "", "rerank", "/v1/rerank", "authorization: Bearer k"),
    ("xai", "", "openai_chat", "/v1/chat/completions", "authorization: Bearer k"),
)


@pytest.mark.parametrize(("name", "base", "spoken", "path", "key"), WIRES, ids=lambda one: str(one)[:40])
def test_the_wire_of_a_vendor(name, base, spoken, path, key):
    """What its own reference has: the path a call goes to, and the header its key is in."""
    row = vendor(name)
    assert spoken in row.dialects
    origin, place, query = address_of(base or row.base_url, "m/1")
    told = {"name": "t", "provider": "p", "driver": row.driver, "dialects": row.dialects, "model": "m/1"}
    there = Target(**told, origin=origin, path=place, query=query, quirks=row.quirks, clearance=Label())
    drivers = {one.name: one for one in DRIVERS}
    head = Stop(there, drivers[row.driver], "k", Health()).head(spoken, dialect(spoken).upstream_path).decode()
    lines = head.split("\r\n")
    port = "" if origin.port == 443 else f":{origin.port}"
    assert lines[:2] == [f"POST {path} HTTP/1.1", f"host: {origin.host}{port}"] and key in lines
    assert sum(line.lower().startswith(("authorization", "api-key")) for line in lines) == 1


def test_an_unknown_vendor_has_no_row():
    assert vendor("nobody") is None
