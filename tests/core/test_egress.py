"""The one way out: a body leaves only under a permit that covers it, to an allowed origin."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.egress import Egress, send
from freehold.core.errors import EgressRefused, UpstreamUnreachable
from freehold.core.label import PUBLIC
from freehold.core.permit import Origin, Permit

HERE = Origin("http", "127.0.0.1", 9)
ORIGINS = st.builds(
    Origin, st.sampled_from(["http", "https"]), st.sampled_from(["127.0.0.1", "vendor.test"]), st.integers(1, 3)
)


class Sink:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def permit(origin: Origin, expires_at: float = 100.0) -> Permit:
    return Permit(b"i" * 16, "t", origin, PUBLIC, 1, expires_at, b"body", b"d" * 32)


@given(ORIGINS, ORIGINS, st.floats(0, 200), st.floats(0, 200))
def test_nothing_leaves_unless_origin_and_time_fit(given_: Origin, to: Origin, expires: float, now: float) -> None:
    sink = Sink()
    if given_ == to and now <= expires:
        send(sink, to, permit(given_, expires), b"head ", now)
        assert sink.data == b"head body"
    else:
        with pytest.raises(EgressRefused):
            send(sink, to, permit(given_, expires), b"head ", now)
        assert sink.data == b""


def test_no_connection_to_an_origin_that_is_no_target() -> None:
    egress = Egress()
    egress.allowed = frozenset({Origin("https", "127.0.0.1", 9), Origin("http", "127.0.0.1", 10)})
    with pytest.raises(EgressRefused):
        asyncio.run(egress.connect(HERE, asyncio.Protocol, 1.0))


def test_what_cannot_be_reached_is_said_so() -> None:
    egress = Egress()
    egress.allowed = frozenset({HERE})
    with pytest.raises(UpstreamUnreachable):
        asyncio.run(egress.connect(HERE, asyncio.Protocol, 5.0))


def test_a_peer_that_hangs_up_in_the_handshake_is_not_taken_for_an_unknown_host() -> None:
    async def reason() -> str:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        origin = Origin("https", "127.0.0.1", server.sockets[0].getsockname()[1])
        egress = Egress()
        egress.allowed = frozenset({origin})
        async with server:
            with pytest.raises(UpstreamUnreachable) as caught:
                await egress.connect(origin, asyncio.Protocol, 5.0)
        return caught.value.message

    told = asyncio.run(reason()).partition(" cannot be reached: ")[2]
    assert told and "host" not in told
