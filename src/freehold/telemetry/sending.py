"""One export over HTTP to the one collector that the settings name: bounded, verified, following no redirect.

Source of what may be sent again: OpenTelemetry protocol 1.x, section OTLP/HTTP response, read 2026-11-22.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from freehold.telemetry.errors import CollectorFailed

PATH = "/v1/traces"
TIMEOUT_SECONDS = 5.0
"""Short: the worker does nothing else meanwhile."""
NEVER_TAKEN = (400, 413, 415, 422)
"""Statuses by which a collector says that this batch is wrong, not that it or the way to it is."""

Send = Callable[[bytes], None]
"""Takes an export's body. Raises CollectorFailed."""


def sender(address: str, authorization: str) -> Send:
    """Sends to `address`, with that `authorization` where there is one."""
    parts = urlsplit(address)
    headers = {"content-type": "application/json", "user-agent": "freehold"}
    if authorization:
        headers["authorization"] = authorization
    path = parts.path.rstrip("/") + PATH

    def send(body: bytes) -> None:
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        except ssl.SSLError as error:
            raise CollectorFailed(f"TLS to the collector failed: {error.reason or 'handshake'}") from None
        except (OSError, http.client.HTTPException) as error:
            raise CollectorFailed(f"the collector does not answer ({type(error).__name__})") from None
        finally:
            connection.close()
        if status not in (200, 202):
            message = f"the collector answered {status} to {path}"
            raise CollectorFailed(message, passed_over=status in NEVER_TAKEN)

    return send


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
