"""The one way out: every connection of the data path is opened here, and every body leaves here.

A connection goes only to an allowed origin; a body leaves only as the one its permit holds, to the permit's origin,
in the permit's time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

from freehold.core.errors import EgressRefused, UpstreamTimeout, UpstreamUnreachable
from freehold.core.permit import PERMIT_SECONDS, Origin, Permit

SLACK_SECONDS = 5.0
"""By which the clock of a connection may lag behind that of the mint."""
P = TypeVar("P", bound=asyncio.BaseProtocol)


class Sink(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes) -> None:
        """Send or buffer."""


class Egress:
    """Opens connections to allowed origins. `allowed` is replaced whole with each routes snapshot."""

    def __init__(self) -> None:
        self.allowed: frozenset[Origin] = frozenset()
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def connect(self, origin: Origin, factory: Callable[[], P], seconds: float, tls_ca: str = "") -> P:
        """A connection to `origin`, verified where it is https.

        Raises EgressRefused, UpstreamUnreachable or UpstreamTimeout.
        """
        if origin not in self.allowed:
            raise EgressRefused(f"{origin} is no target's origin")
        context = self._context(tls_ca) if origin.scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, protocol = await loop.create_connection(
                    factory, origin.host, origin.port, ssl=context, server_hostname=origin.host if context else None
                )
        except TimeoutError:
            raise UpstreamTimeout(f"no connection to {origin} within {seconds:g} s") from None
        except ssl.SSLError as error:
            raise UpstreamUnreachable(f"TLS to {origin} failed: {error.reason or 'handshake'}") from None
        except OSError as error:
            raise UpstreamUnreachable(f"{origin} cannot be reached: {_reason(error, tls=bool(context))}") from None
        return protocol

    def _context(self, tls_ca: str) -> ssl.SSLContext:
        found = self._contexts.get(tls_ca)
        if found is None:
            found = ssl.create_default_context(cafile=tls_ca or None)
            found.minimum_version = ssl.TLSVersion.TLSv1_2
            self._contexts[tls_ca] = found
        return found


def _reason(error: OSError, *, tls: bool) -> str:
    """In words; a peer that just hangs up, or several addresses that failed, have no `strerror`."""
    return error.strerror or str(error) or f"the connection was closed{' in the TLS handshake' if tls else ''}"


def send(sink: Sink, origin: Origin, permit: Permit, head: bytes, now: float) -> None:
    """Let the permit's body out to `origin` behind `head`. Raises EgressRefused where the permit does not cover it."""
    if permit.origin is not origin and permit.origin != origin:
        raise EgressRefused(f"the permit is for {permit.origin}, the connection goes to {origin}")
    left = permit.expires_at - now
    if not 0.0 <= left <= PERMIT_SECONDS + SLACK_SECONDS:  # nor may a clock that was set back keep it alive
        raise EgressRefused("the permit has expired" if left < 0.0 else "the permit is not of this time")
    sink.write(head + permit.body)
