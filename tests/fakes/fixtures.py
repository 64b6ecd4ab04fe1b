"""Fixtures over the fakes; `tests/conftest.py` makes them known to every test."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_openai import FakeOpenAi


@pytest.fixture
def fake_openai() -> Iterator[FakeOpenAi]:
    with FakeOpenAi() as vendor:
        yield vendor


@pytest.fixture
def fake_anthropic() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as vendor:
        yield vendor


@pytest.fixture(scope="session")
def private_ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def vendor_tls(private_ca: trustme.CA) -> ssl.SSLContext:
    """A server's TLS for `localhost` and 127.0.0.1; clients trust it by `private_ca.cert_pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private_ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context
