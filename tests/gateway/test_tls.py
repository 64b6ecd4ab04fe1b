"""TLS on both sides: the listener's own certificate, and targets whose certificate is checked against name and issuer."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from freehold.core.permit import Origin
from tests.fakes.fake_openai import FakeOpenAi
from tests.gateway import pieces as p
from tests.gateway.answers import read_answers
from tests.gateway.instance import Home, Instance

ASK = p.request(p.CHAT, p.chat_body("gpt"))
ASK_STREAM = p.request(p.CHAT, p.chat_body("gpt", stream=True))


def served(home: Path, vendor: FakeOpenAi, host: str = "localhost", ca: str = "", **config) -> Instance:
    there = p.target("gpt", vendor.port, origin=Origin("https", host, vendor.port), tls_ca=ca)
    return Instance(
        Home(home, p.routes((there,), p.route("gpt", "gpt", attempts=1)), p.keys()), secret=vendor.key, **config
    )


@pytest.fixture
def bundle(tmp_path: Path, private_ca: trustme.CA) -> str:
    path = tmp_path / "ca.pem"
    private_ca.cert_pem.write_to_path(str(path))
    return str(path)


def test_a_target_with_a_certificate_of_the_named_issuer_is_spoken_to(tmp_path: Path, vendor_tls, bundle: str) -> None:
    with FakeOpenAi(tls=vendor_tls) as vendor, served(tmp_path, vendor, ca=bundle) as instance:
        assert instance.ask(ASK).status == 200
        assert instance.ask(ASK_STREAM).status == 200
        assert vendor.connections == 1  # kept and used again


def test_a_certificate_of_an_unknown_issuer_is_not_trusted(tmp_path: Path, vendor_tls) -> None:
    with FakeOpenAi(tls=vendor_tls) as vendor, served(tmp_path, vendor) as instance:
        answer = instance.ask(ASK)
        assert answer.status == 502 and answer.headers["x-freehold-error"] == "FH-UP-002"
        assert not vendor.requests and instance.home.end().tried[0].outcome == "unreachable"


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path, private_ca: trustme.CA, bundle: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private_ca.issue_cert("vendor.test").configure_cert(context)
    with FakeOpenAi(tls=context) as vendor, served(tmp_path, vendor, ca=bundle) as instance:
        assert instance.ask(ASK).status == 502
        assert not vendor.requests


def test_a_target_without_tls_is_not_spoken_to_in_the_clear(tmp_path: Path, bundle: str) -> None:
    with FakeOpenAi() as vendor, served(tmp_path, vendor, ca=bundle) as instance:
        assert instance.ask(ASK).status == 502
        assert not vendor.requests


def test_the_listener_serves_its_certificate(tmp_path: Path, private_ca: trustme.CA, vendor_tls, bundle: str) -> None:
    made = private_ca.issue_cert("localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made.private_key_pem.write_to_path(str(key))
    for one in made.cert_chain_pems:
        one.write_to_path(str(certificate), append=True)
    context = ssl.create_default_context(cafile=bundle)
    files = {"tls_certificate": str(certificate), "tls_key": str(key)}
    with FakeOpenAi(tls=vendor_tls) as vendor, served(tmp_path, vendor, ca=bundle, **files) as instance:
        with instance.client() as client:
            client._socket = context.wrap_socket(client._socket, server_hostname="localhost")
            client.send(ASK + ASK_STREAM)
            assert client.read("POST", "POST").complete
        with instance.client() as plain:
            plain.send(ASK)
            assert read_answers(plain.read_to_end(), ["POST"], ended=True) == []
        assert [one.outcome for one in instance.home.ends()] == ["ok", "ok"]
