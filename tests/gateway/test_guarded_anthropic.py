"""The suite of Anthropic's SDK, once more, through a guard."""

from __future__ import annotations

from tests.e2e import test_anthropic_sdk
from tests.gateway.guarded_house import guarded_instance, house, house_vendors, suite_of

__all__ = ["guarded_instance", "house", "house_vendors"]

globals().update(suite_of(test_anthropic_sdk))
