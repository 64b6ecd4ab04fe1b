"""A client of the management API over loopback, on the standard library alone so that commands start fast."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from freehold.core.errors import FreeholdError, NotRunning, Unavailable

TIMEOUT_SECONDS = 60.0


class Refused(FreeholdError):
    """The management API answered with an error; it keeps the code it was given there."""

    code = "FH-INT-002"
    hint_text = "see the log of the admin process"

    told: dict[str, Any]

    @classmethod
    def of(cls, error: dict[str, Any]) -> Refused:
        """The error as it was told."""
        made = cls(str(error.get("message", "no message")), hint=str(error.get("hint", "")))
        made.told = error
        return made

    def as_dict(self) -> dict[str, object]:
        """As the API told it."""
        return dict(self.told)


_Exchange = tuple[http.client.HTTPConnection, http.client.HTTPResponse]


class Client:
    """Asks one instance."""

    def __init__(self, address: str, token: str, home: Path) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 80
        self._token = token
        self._home = home

    @property
    def address(self) -> str:
        """Of the management API, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @classmethod
    def of(cls, home: Path) -> Client:
        """The client for the instance in `home`, as the person who signed in there, if one did. Raises NotRunning."""
        from freehold.cli.sessions import kept
        from freehold.settings.location import read_endpoints

        endpoints = read_endpoints(home)
        session = kept(home)
        if session is not None:
            return cls(endpoints.admin if endpoints else session.address, session.token, home)
        try:
            token = (home / "run" / "admin.token").read_text().strip()
        except OSError:
            token = ""
        if endpoints is None or not token:
            raise NotRunning(f"no instance runs in {home}")
        return cls(endpoints.admin, token, home)

    def get(self, path: str, *, seconds: float = TIMEOUT_SECONDS, **query: object) -> Any:
        """The JSON answer of a GET, which may take `seconds`; query values that are None or empty are left out."""
        return self._ask("GET", path + _query(query), None, seconds)

    def post(self, path: str, body: object = None, *, seconds: float = TIMEOUT_SECONDS) -> Any:
        """The JSON answer of a POST, which may take `seconds`."""
        return self._ask("POST", path, {} if body is None else body, seconds)

    def patch(self, path: str, body: object) -> Any:
        """The JSON answer of a PATCH."""
        return self._ask("PATCH", path, body)

    def lines(self, path: str, **query: object) -> Iterator[bytes]:
        """The lines of a streamed answer."""
        connection, response = self._send("GET", path + _query(query), None)
        try:
            self._checked(response)
            yield from response
        finally:
            connection.close()

    def _ask(self, method: str, path: str, body: object, seconds: float = TIMEOUT_SECONDS) -> Any:
        connection, response = self._send(method, path, body, seconds)
        try:
            self._checked(response)
            return json.loads(response.read())
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, body: object, seconds: float = TIMEOUT_SECONDS
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        headers = {"authorization": f"Bearer {self._token}", "accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        try:
            connection.request(method, path, data, headers)
            return connection, connection.getresponse()
        except TimeoutError:
            raise Unavailable("the management API does not answer") from None
        except (OSError, http.client.HTTPException):
            raise NotRunning(f"the instance in {self._home} does not answer") from None

    @staticmethod
    def _checked(response: http.client.HTTPResponse) -> None:
        if response.status < 400:
            return
        try:
            error = json.loads(response.read())["error"]
        except (ValueError, KeyError, TypeError):
            error = {"message": f"the management API answered {response.status}"}
        raise Refused.of(error)


def segment(text: str) -> str:
    """A name as one segment of a path."""
    return quote(text, safe="")


def _query(values: dict[str, object]) -> str:
    given = {name: value for name, value in values.items() if value not in (None, "", ())}
    return "?" + urlencode(given, doseq=True) if given else ""
