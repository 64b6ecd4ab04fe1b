"""The how-to's configuration of Bedrock, read from its page, is what the driver needs."""

from __future__ import annotations

import re
from pathlib import Path

from freehold.core.permit import Origin
from freehold.ledger.prices import rented_price
from freehold.settings import compile as compiled
from freehold.settings.load import parse

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bedrock.md"


def test_the_pages_configuration_leads_to_a_target():
    from datetime import date

    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    settings = parse(text.encode(), None, {}).settings
    (one,) = compiled.routes(
        settings, (), lambda vendor, model: rented_price(vendor, model, date(2026, 11, 22))
    ).targets
    assert (one.driver, one.dialects, one.path) == ("bedrock", ("bedrock_converse",), "")
    assert one.origin == Origin("https", "bedrock-runtime.eu-central-1.amazonaws.com", 443)
    assert (one.region, one.offering, one.price.input > 0) == ("eu", "aws-bedrock", True)
