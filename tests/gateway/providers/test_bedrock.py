"""Bedrock's driver: API keys, signatures as botocore makes them, names for answers that have none."""

from __future__ import annotations

import sys

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import UpstreamFailed, UpstreamOverloaded, UpstreamRefused
from freehold.core.label import Label
from freehold.core.permit import Origin
from freehold.gateway.messages import Answer, Ended, Started
from freehold.gateway.providers.bedrock import BedrockDriver, region_of
from freehold.gateway.routing.table import compile_routes
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.policy.targets import Target

ACCESS, TOKEN = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "AQoEXAMPLEH4aoAH0gNCAPy=="
DRIVER = BedrockDriver(lambda: "msg_1")
AT = 1_700_000_000.0


def target(host: str = "bedrock-runtime.eu-west-3.amazonaws.com", **more) -> Target:
    origin = Origin("https", host, 443)
    base = {"name": "t", "provider": "p", "driver": "bedrock", "dialects": ("bedrock_converse",), "path": ""}
    return Target(**base, model="m", origin=origin, clearance=Label(), **more)


def official(url: str, body: bytes, token: str | None) -> dict[str, str]:
    """What botocore's signer adds at AT, told by its own way in."""
    from unittest.mock import patch

    from freehold.core.clock import at

    request = AWSRequest("POST", url, {"content-type": "application/json"}, body)
    key, secret = ACCESS.split(":")
    with patch("botocore.auth.get_current_datetime", lambda: at(AT)):
        SigV4Auth(Credentials(key, secret, token), "bedrock", "eu-west-3").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items() if name.lower() != "content-type"}


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["m", "eu.amazon.nova-v1%3A0", "arn%3Aaws%3Abedrock%3A%3A1%2Fx", "%C3%A9"]),
    st.binary(max_size=40),
    st.booleans(),
)
def test_a_signature_is_botocores(model, body, session):
    path, token = f"/model/{model}/converse-stream", TOKEN if session else None
    secret = f"{ACCESS}:{TOKEN}" if session else ACCESS
    found = dict(DRIVER.signer.sign(target(), secret, path, body, AT))
    assert found == official(f"https://bedrock-runtime.eu-west-3.amazonaws.com{path}", body, token)


def test_an_api_key_is_a_bearer_token_and_an_access_key_goes_nowhere():
    assert DRIVER.headers(target(), "ABSKQmVkcm9jaw==", "bedrock_converse") == [
        ("authorization", "Bearer ABSKQmVkcm9jaw==")
    ]
    assert DRIVER.signer.sign(target(), "ABSKQmVkcm9jaw==", "/x", b"", AT) == []
    assert DRIVER.headers(target(headers=(("x-a", "b"),)), ACCESS, "bedrock_converse") == [("x-a", "b")]
    assert DRIVER.headers(target(), "", "bedrock_converse") == []


@pytest.mark.parametrize(
    ("host", "quirks", "region"),
    [
        ("bedrock-runtime.eu-west-3.amazonaws.com", (), "eu-west-3"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", (), "us-gov-west-1"),
        ("vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com", (), "eu-central-1"),
        ("bedrock.example.com", ("signing_region:eu-north-1",), "eu-north-1"),
        ("bedrock-runtime.eu-west-3.amazonaws.com", ("signing_region:us-east-1",), "us-east-1"),
        ("bedrock.example.com", (), ""),
    ],
)
def test_the_region_is_read_off_the_address_or_stated(host, quirks, region):
    assert region_of(target(host, quirks=quirks)) == region


def stop_of(one: Target, secret: str):
    routes = Routes(targets=(one,), routes=(Route(name="r", tiers=((Arm("t"),),)),))
    return compile_routes(1, routes, {"bedrock": DRIVER}, lambda _: secret, {}, 0.0).stops["t"]


def test_what_cannot_be_signed_is_told_before_any_call(monkeypatch):
    assert stop_of(target(credential="ref"), ACCESS).fault == ""
    assert "names no region" in stop_of(target("bedrock.example.com", credential="ref"), ACCESS).fault
    assert stop_of(target("bedrock.example.com", credential="ref"), "ABSKkey").fault == ""
    monkeypatch.setattr("freehold.gateway.providers.bedrock.find_spec", lambda _: None)
    fault = stop_of(target(credential="ref"), ACCESS).fault
    assert "freehold[bedrock]" in fault and "EXAMPLEKEY" not in fault


def test_botocore_is_loaded_by_signing_alone():
    import subprocess

    code = "import sys, freehold.gateway.providers.registry; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_answers_get_an_id_and_the_models_name_where_they_have_none():
    _, names = DRIVER.adapt(target(), None)
    assert names.answer(Answer(id="", model="")) == Answer(id="msg_1", model="m")
    assert names.answer(Answer(id="a", model="b")) == Answer(id="a", model="b")
    assert names.feed([Started("", ""), Ended()]) == [Started("msg_1", "m"), Ended()]
    assert BedrockDriver().adapt(target(), None)[1] != BedrockDriver().adapt(target(), None)[1]


@pytest.mark.parametrize(
    ("status", "name", "kind", "retryable"),
    [
        (400, b"ValidationException", UpstreamRefused, False),
        (403, b"AccessDeniedException", UpstreamRefused, True),
        (404, b"ResourceNotFoundException", UpstreamRefused, True),
        (424, b"ModelErrorException:http://internal", UpstreamFailed, True),
        (429, b"ThrottlingException", UpstreamOverloaded, True),
        (503, b"ServiceUnavailableException", UpstreamOverloaded, True),
    ],
)
def test_failures(status, name, kind, retryable):
    error = DRIVER.failure(status, {b"x-amzn-errortype": name}, b'{"message":"no"}')
    assert (type(error), error.retryable, error.status) == (kind, retryable, status)
    assert status != 424 or "ModelErrorException" in error.message
