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
from freehold.policy.targets import Target


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
    url = urlsplit(row.base_url)
    assert (url.scheme, url.query, url.username) == ("https", "", None)
    assert not row.base_url.endswith("/")
    assert re.fullmatch(r"[A-Z][A-Z0-9_]+", row.key_env)
    assert row.source.startswith("https://")
    assert date.fromisoformat(row.as_of)


def test_an_unknown_vendor_has_no_row():
    assert vendor("nobody") is None
