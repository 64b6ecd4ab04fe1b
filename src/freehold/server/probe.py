"""Asks a provider for its list of models: does its address answer, and does it take our key? Carries no content.

Leaves by the one egress, and only to origins the configuration names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

from freehold.core.egress import Egress
from freehold.core.errors import FreeholdError
from freehold.gateway.providers.registry import DRIVERS
from freehold.policy.targets import Target
from freehold.settings.errors import MissingSecret

ANSWER_SECONDS = 15.0


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider answered. `status` is 0 where it did not; `seconds` is how long it took."""

    provider: str
    address: str
    good: bool
    status: int
    seconds: float
    message: str


class _Answer(asyncio.Protocol):
    """Sends one request and keeps the status of the answer."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send at once."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by inheritance
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP ends the matter."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._settle(0)

    def connection_lost(self, exc: Exception | None) -> None:
        """No answer will come."""
        self._settle(0)

    def on_headers_complete(self) -> None:
        """The status is known, and nothing else is wanted."""
        self._settle(self._parser.get_status_code())

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _settle(self, status: int) -> None:
        if not self.status.done():
            self.status.set_result(status)


async def probe(target: Target, resolve: Callable[[str], str]) -> Probed:
    """Ask one provider, by any of its targets."""
    began = time.monotonic()
    try:
        secret = resolve(target.credential) if target.credential else ""
        status = await _ask(target, secret)
    except MissingSecret as error:
        return _probed(target, 0, 0.0, f"{error.message} (fix: {error.hint})")
    except TimeoutError:
        return _probed(target, 0, time.monotonic() - began, f"no answer within {ANSWER_SECONDS:g} s")
    except FreeholdError as error:
        return _probed(target, 0, time.monotonic() - began, error.message.removeprefix(f"{target.origin} "))
    return _probed(target, status, time.monotonic() - began, _words(status))


async def _ask(target: Target, secret: str) -> int:
    driver = next(one for one in DRIVERS if one.name == target.driver)
    egress = Egress()
    egress.allowed = frozenset({target.origin})
    lines = [f"GET {target.path}/models{target.query} HTTP/1.1", f"host: {_host(target)}"]
    lines += [f"{name}: {value}" for name, value in driver.headers(target, secret, target.dialects[0])]
    lines += ["accept: application/json", "user-agent: freehold", "connection: close", "", ""]
    request = "\r\n".join(lines).encode("latin-1")
    answer = await egress.connect(target.origin, lambda: _Answer(request), target.connect_seconds, target.tls_ca)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer.status
    finally:
        answer.close()


def _host(target: Target) -> str:
    default = {"http": 80, "https": 443}[target.origin.scheme]
    port = "" if target.origin.port == default else f":{target.origin.port}"
    return f"{target.origin.host}{port}"


def _words(status: int) -> str:
    if status == 0:
        return "hung up without an answer"
    if status in (401, 403):
        return "answers, and refuses the key (fix: put the right one where api_key points to)"
    if status < 300 or status in (404, 405):
        return "answers"  # not every vendor lists its models; a 404 was not refused for its key
    return f"answers with status {status}"


def _probed(target: Target, status: int, seconds: float, message: str) -> Probed:
    good = message == "answers"
    address = f"{target.origin}{target.path}"
    return Probed(
        provider=target.provider,
        address=address,
        good=good,
        status=status,
        seconds=round(seconds, 3),
        message=message,
    )
