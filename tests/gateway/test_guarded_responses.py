"""The suite of responses in OpenAI's SDK, once more, through a guard."""

from __future__ import annotations

import pytest
from openai import BadRequestError

from tests.e2e import test_openai_responses
from tests.e2e.test_openai_responses import Responses
from tests.gateway.guarded_house import guarded_instance, house, house_vendors, suite_of

__all__ = ["guarded_instance", "house", "house_vendors"]

globals().update(suite_of(test_openai_responses))


@pytest.mark.parametrize("field", ["previous_response_id", "conversation"])
def test_what_no_guard_can_look_at_is_refused(responses: Responses, house_vendors, field):
    with pytest.raises(BadRequestError) as caught:
        responses.create(model="gpt", input="more", **{field: "resp_1"})
    assert (caught.value.code, caught.value.param) == ("FH-REQ-030", field)
    assert not house_vendors.openai.requests
