"""Long fuzz of all decoders, and of the real listener over real sockets: no defect, and the next caller is served."""

from __future__ import annotations

import random
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.gateway.dialects.registry import DIALECTS
from tests.e2e.instance import running, until, vendors
from tests.gateway.dialects import test_fuzz as fuzz
from tests.gateway.dialects.drawn_requests import anthropic_requests, openai_requests, responses_requests
from tests.gateway.dialects.strategies import anthropic_answers, openai_answers, responses_answers

LONG = settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
REQUESTS = list(zip(fuzz.PAIRS, (openai_requests(), anthropic_requests(), responses_requests()), strict=True))
ANSWERS = list(zip(fuzz.PAIRS, (openai_answers(), anthropic_answers(), responses_answers()), strict=True))
CONFIG = '[routes.gpt]\ntargets = ["gpt"]\n'


@pytest.mark.soak
@pytest.mark.parametrize("one", DIALECTS, ids=lambda one: one.name)
@LONG
@given(body=fuzz.noise)
def test_noise_to_every_decoder(one, body):
    fuzz.test_requests.hypothesis.inner_test(one, body)
    fuzz.test_answers.hypothesis.inner_test(one, body)


@pytest.mark.soak
@pytest.mark.parametrize("at", range(len(fuzz.PAIRS)), ids=[one.name for one in fuzz.PAIRS])
@LONG
@given(data=st.data())
def test_what_is_almost_good(at, data):
    fuzz.test_almost_good_requests.hypothesis.inner_test(*REQUESTS[at], data)
    fuzz.test_almost_good_answers.hypothesis.inner_test(*ANSWERS[at], data)
    fuzz.test_almost_good_streams.hypothesis.inner_test(*ANSWERS[at], data)


@pytest.mark.soak
@pytest.mark.parametrize("one", fuzz.PAIRS, ids=lambda one: one.name)
@LONG
@given(body=st.one_of(st.binary(max_size=200), fuzz.event_noise))
def test_noise_to_every_stream_decoder(one, body):
    fuzz.test_streams.hypothesis.inner_test(one, body)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with vendors() as both, running(tmp_path_factory.mktemp("fuzz"), CONFIG, both) as made:
        yield made


GOOD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\n"
    b"Content-Type: application/json\r\nContent-Length: 67\r\n\r\n"
    b'{"model":"gpt","messages":[{"role":"user","content":"hello there"}]}'[:67]
)
PIECES = (
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"\r\n\r\n", b"\r\n", b"0\r\n\r\n", b"ffffffff\r\n",
    b"Host: localhost\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"\x00", b"\xff\xfe", b" ", b":", b"{", b"}",
    b"HTTP/1.1", b"HTTP/1.0", b"GET /healthz ", b"Connection: close\r\n", b'"stream":true,', b"\xc3\x28",
)  # fmt: skip


def bent(dice, key):
    """A good request, or several behind one another, with bytes put in, taken out and swapped."""
    data = bytearray(GOOD.replace(b"KEY", key.encode()) * dice.randrange(1, 4))
    for _ in range(dice.randrange(0, 6)):
        at = dice.randrange(len(data))
        match dice.randrange(4):
            case 0:
                data[at:at] = dice.choice(PIECES)
            case 1:
                del data[at : at + dice.randrange(1, 30)]
            case 2:
                data[at] = dice.randrange(256)
            case 3:
                data[at : at + 4] = dice.choice(PIECES)
        data = data or bytearray(b"\r\n")
    return bytes(data)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_listener_takes_anything(house):
    dice, port = random.Random(5), urlsplit(house.base).port
    for _ in range(4000):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
            data = bent(dice, house.key) if dice.random() < 0.9 else dice.randbytes(dice.randrange(1, 400))
            try:
                while data:
                    size = dice.randrange(1, len(data) + 1)
                    wire.sendall(data[:size])
                    data = data[size:]
                wire.shutdown(socket.SHUT_WR)
                got = b""
                while part := wire.recv(65536):
                    got += part
            except OSError:  # closed on us in the middle: its right
                continue
            assert not got or got.startswith(b"HTTP/1.1 ")
            assert b" 500 " not in got[:20]
    assert house.chat("gpt").status == 200
    until(lambda: not house.pending(), "every call is settled")
    log = (house.home / "logs" / "gateway.log").read_text()
    assert "defect" not in log and '"event loop"' not in log
