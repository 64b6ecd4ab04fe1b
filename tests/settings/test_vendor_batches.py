"""Targets whose batches are passed on: at the vendor's share of the price, and only to vendors that have batches."""

from __future__ import annotations

from decimal import Decimal

import pytest

from freehold.gateway.providers.vendors import VENDORS
from freehold.gateway.vendor_batches import VENDOR_BATCHES
from freehold.settings.compile import routes
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig

TEXT = """
[providers.v]
vendor = "{vendor}"
api_key = "${{env:KEY}}"
[targets.t]
provider = "v"
price = {{ input = 3, output = 15, cached = 0.3, as_of = 2026-11-22 }}
{more}
"""


def target(vendor, more):
    (found,) = routes(parse(TEXT.format(vendor=vendor, more=more).encode(), None, {}).settings, ()).targets
    return found


@pytest.mark.parametrize("vendor", ["anthropic", "openai"])
def test_a_passed_line_costs_the_vendors_share(vendor):
    found = target(vendor, 'batches = "pass"')
    assert found.batches == vendor
    price = found.batch_price
    assert (price.input, price.output, price.cached) == (Decimal("1.5"), Decimal("7.5"), Decimal("0.15"))
    assert "0.5" in price.source
    assert found.price.input == 3


def test_what_a_contract_says_wins():
    more = 'batches = "pass"\nbatch_price = { input = 1, output = 2, source = "contract", as_of = 2026-11-22 }'
    found = target("openai", more)
    assert (found.batch_price.input, found.batch_price.source) == (1, "contract")


def test_nothing_is_passed_unasked():
    found = target("openai", "")
    assert (found.batches, found.batch_price) == ("", None)


def test_a_vendor_without_batches_is_told():
    with pytest.raises(InvalidConfig) as error:
        target("groq", 'batches = "pass"')
    assert "batches cannot be passed on" in str(error.value)


def test_every_vendor_with_batches_has_a_form():
    forms = {one.name for one in VENDOR_BATCHES}
    assert {one.batching.form for one in VENDORS if one.batching is not None} == forms
