"""The gateway as commands see it: one HTTP exchange with a key, as any application would have."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from freehold.cli.client import Refused
from freehold.core.errors import NotRunning, Unavailable

if TYPE_CHECKING:
    from freehold.settings.location import Endpoints

TIMEOUT_SECONDS = 300.0
KEY_TRIES = 50
KEY_PAUSE_SECONDS = 0.1


class Door:
    """Speaks to the gateway with one key."""

    def __init__(self, endpoints: Endpoints, key: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self._parts = urlsplit(endpoints.gateway)
        self._certificate = endpoints.certificate
        self._key = key
        self._timeout = timeout

    def post(self, path: str, body: object) -> http.client.HTTPResponse:
        """The answer of a call, which may be a stream. Raises Refused, NotRunning, Unavailable."""
        response = self._once("POST", path, json.dumps(body).encode())
        if response.status != 200:
            raise _error(response)
        return response

    def get(self, path: str) -> Any:
        """A JSON answer, whatever its status. Raises NotRunning, Unavailable."""
        try:
            return json.loads(self._once("GET", path, b"").read())
        except ValueError:
            raise Unavailable(f"the gateway answered {path} with no JSON") from None

    def wait_for_key(self) -> None:
        """A key made a moment ago reaches the gateway with the next snapshot: ask for the models until it counts."""
        for _ in range(KEY_TRIES):
            if self._once("GET", "/v1/models", b"").status != 401:
                return
            time.sleep(KEY_PAUSE_SECONDS)

    def _once(self, method: str, path: str, body: bytes) -> http.client.HTTPResponse:
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            if self._certificate:  # our own: trusted as it is, whoever issued it
                context.load_verify_locations(self._certificate)
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self._timeout, context=context
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=self._timeout)
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        try:
            made.request(method, path, body, headers)
            return made.getresponse()
        except ssl.SSLError as error:
            raise Unavailable(f"TLS to the gateway failed: {error.reason}") from None
        except OSError:
            raise NotRunning("the gateway does not answer") from None


def known_at_the_door(home: Path, secret: str) -> None:
    """Wait until the gateway takes a key that was just made, so that whoever gets it may use it at once."""
    from freehold.settings.location import read_endpoints

    endpoints = read_endpoints(home)
    if endpoints is not None:
        with contextlib.suppress(NotRunning, Unavailable):  # the key is made, whether or not the gateway answers now
            Door(endpoints, secret).wait_for_key()


def _error(response: http.client.HTTPResponse) -> Refused:
    """The gateway's error; what SDKs show as one message is message and hint again."""
    try:
        told: dict[str, Any] = json.loads(response.read())["error"]
    except (ValueError, KeyError, TypeError):
        told = {"message": f"the gateway answered {response.status}"}
    message, _, hint = str(told.get("message", "")).removesuffix(")").partition(" (hint: ")
    return Refused.of({**told, "message": message, "hint": hint} if hint else told)
