"""One HTTP exchange with the issuer, from the admin process: bounded, verified, following no redirect.

Only origins that the settings name are asked; nothing of a call ever goes this way.
"""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from freehold.identity.errors import IssuerFailed

TIMEOUT_SECONDS = 10.0
MOST_BYTES = 1024 * 1024


class Asked(msgspec.Struct, frozen=True):
    """A request; a body makes it a POST of a form."""

    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


Fetch = Callable[[Asked], bytes]
"""The body of a 200 answer. Raises IssuerFailed."""


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, in one spelling. Raises IssuerFailed where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        raise IssuerFailed(f"{url!r} is no http or https address") from None
    if not parts.hostname or parts.username is not None:
        raise IssuerFailed(f"{url!r} is no plain address")
    return f"{parts.scheme}://{parts.hostname}:{port}"


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


def _word(body: bytes) -> str:
    """The one word by which OAuth says why, and nothing else of an answer that may hold anything."""
    try:
        found = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.MsgspecError:
        return ""
    return f": {found}" if re.fullmatch(r"[a-z_]{1,64}", found) else ""


class Fetcher:
    """Asks the allowed origins. `tls_ca`: file of the certificates that theirs must chain to, else the system's."""

    def __init__(self, origins: frozenset[str], tls_ca: str = "") -> None:
        self._origins = origins
        self._tls_ca = tls_ca

    def __call__(self, asked: Asked) -> bytes:
        """The body of a 200 answer. Raises IssuerFailed, which tells neither the body sent nor the one received."""
        origin = origin_of(asked.url)
        if origin not in self._origins:
            raise IssuerFailed(f"{origin} is not the issuer's: name it in [identity.oidc] origins if it is to be asked")
        parts = urlsplit(asked.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            headers = {"accept": "application/json", **asked.headers}
            connection.request("POST" if asked.body else "GET", path, asked.body or None, headers)
            response = connection.getresponse()
            body = response.read(MOST_BYTES + 1)
        except ssl.SSLError as error:
            raise IssuerFailed(f"TLS to {origin} failed: {error.reason or 'handshake'}") from None
        except (OSError, http.client.HTTPException) as error:
            raise IssuerFailed(f"{origin} does not answer ({type(error).__name__})") from None
        finally:
            connection.close()
        if response.status != 200:
            raise IssuerFailed(f"{origin} answered {response.status} to {parts.path}{_word(body)}")
        if len(body) > MOST_BYTES:
            raise IssuerFailed(f"{origin} answered with more than {MOST_BYTES} bytes")
        return body

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        try:
            context = ssl.create_default_context(cafile=self._tls_ca or None)
        except OSError as error:
            raise IssuerFailed(f"tls_ca cannot be used: {error.strerror or error}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
