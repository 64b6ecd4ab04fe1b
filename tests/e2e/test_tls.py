"""TLS on both sides: the listener's certificate, and targets that must prove who they are before a byte goes to them."""

from __future__ import annotations

import contextlib
import ssl
import urllib.error
import urllib.request

import openai
import pytest
import trustme

from tests.e2e.instance import Vendors, running
from tests.e2e.sdks import ask
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_openai import FakeOpenAi

CONFIG = """\
[providers.known]
vendor = "openai"
base_url = "https://localhost:{port}/v1"
api_key = "${{env:E2E_OPENAI_KEY}}"
tls_ca = "{ca}"
[providers.stranger]
vendor = "openai"
base_url = "https://localhost:{port}/v1"
api_key = "${{env:E2E_OPENAI_KEY}}"
[providers.impostor]
vendor = "openai"
base_url = "https://localhost:{other}/v1"
api_key = "${{env:E2E_OPENAI_KEY}}"
tls_ca = "{ca}"
[providers.plain]
vendor = "openai"
base_url = "https://localhost:{http}/v1"
api_key = "${{env:E2E_OPENAI_KEY}}"
tls_ca = "{ca}"
"""
NAMES = ("known", "stranger", "impostor", "plain")
CONFIG += "".join(f'[targets.t-{one}]\nprovider = "{one}"\n[routes.{one}]\ntargets = ["t-{one}"]\n' for one in NAMES)


def server_tls(ca, *names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """An instance that serves https, and vendors: one whose name is right, one whose name is wrong, one without TLS."""
    folder, ca = tmp_path_factory.mktemp("tls"), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    own = ca.issue_cert("localhost", "127.0.0.1")
    own.private_key_pem.write_to_path(folder / "own.key")
    for at, pem in enumerate(own.cert_chain_pems):
        pem.write_to_path(folder / "own.pem", append=at > 0)
    with contextlib.ExitStack() as stack:
        right = stack.enter_context(FakeOpenAi(server_tls(ca, "localhost")))
        wrong = stack.enter_context(FakeOpenAi(server_tls(ca, "elsewhere.example")))
        plain = stack.enter_context(FakeOpenAi())
        others = Vendors(plain, stack.enter_context(FakeAnthropic()))
        text = CONFIG.format(port=right.port, other=wrong.port, http=plain.port, ca=folder / "ca.pem")
        listener = f'tls_certificate = "{folder}/own.pem"\ntls_key = "{folder}/own.key"\n'
        made = stack.enter_context(running(folder, text, others, gateway=listener))
        yield made, ca, right, wrong, plain


@pytest.fixture
def client(parts):
    context = ssl.create_default_context()
    parts[1].configure_trust(context)
    base, key = f"{parts[0].base.replace('127.0.0.1', 'localhost')}/v1", parts[0].key
    http = openai.DefaultHttpxClient(verify=context)
    with openai.OpenAI(api_key=key, base_url=base, max_retries=0, http_client=http) as made:
        yield made


@pytest.mark.parametrize("stream", [False, True])
def test_calls_and_streams_through_tls_on_both_sides(parts, client, stream):
    got = client.chat.completions.create(model="known", messages=ask("hello"), stream=stream)
    text = "".join(one.choices[0].delta.content or "" for one in got) if stream else got.choices[0].message.content
    assert text and parts[2].last.json["model"] == "t-known"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("stranger", "TLS to https://localhost:.* failed: CERTIFICATE_VERIFY_FAILED"),
        ("impostor", "TLS to https://localhost:.* failed: CERTIFICATE_VERIFY_FAILED"),
        ("plain", "https://localhost:.* (failed|cannot be reached): .*(TLS|SSL|reset|WRONG_VERSION)"),
    ],
)
def test_a_target_that_cannot_prove_itself_gets_nothing(parts, client, name, reason):
    _, _, right, wrong, plain = parts
    before = [len(one.requests) for one in (right, wrong, plain)]
    with pytest.raises(openai.InternalServerError, match=reason) as caught:
        client.chat.completions.create(model=name, messages=ask("hello"))
    assert caught.value.status_code == 502
    assert [len(one.requests) for one in (right, wrong, plain)] == before


def test_callers_who_do_not_trust_the_listener_or_speak_no_tls_get_nothing(parts):
    instance = parts[0]
    assert instance.base.startswith("https://")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{instance.base}/healthz", timeout=10)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{instance.base.replace('https', 'http')}/healthz", timeout=10)


def test_the_listener_speaks_nothing_older_than_tls_1_2(parts):
    instance, ca = parts[0], parts[1]
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(old)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{instance.base.replace('127.0.0.1', 'localhost')}/healthz", timeout=10, context=old)
