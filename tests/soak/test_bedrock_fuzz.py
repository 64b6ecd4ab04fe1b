"""Long fuzz of Bedrock's Converse: what is almost good, in requests, answers and frames."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.dialects import test_bedrock as suite
from tests.gateway.dialects.drawn_bedrock import bedrock_answers, bedrock_requests

LONG = settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.soak
@LONG
@given(data=st.data())
def test_what_is_almost_good(data):
    suite.test_almost_good_requests_raise_our_errors_alone.hypothesis.inner_test(data)
    suite.test_almost_good_answers_raise_our_errors_alone.hypothesis.inner_test(data)
    suite.test_almost_good_streams_raise_our_errors_alone.hypothesis.inner_test(data.draw(bedrock_answers()), data)


@pytest.mark.soak
@LONG
@given(original=bedrock_requests())
def test_every_value_survives(original):
    suite.test_every_value_survives_its_own_dialect.hypothesis.inner_test(original)
