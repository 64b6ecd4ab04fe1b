"""One HTTP exchange with the gateway, within a deadline: connections are kept, a slow drip is cut off.

Invariant: it ends by its deadline, whatever the other side does, and reads no more than it was made to.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
from urllib.parse import urlsplit

import msgspec

MOST_BYTES = 32 * 1024 * 1024
_PIECE = 65536


class Heard(msgspec.Struct, frozen=True):
    """What came back. Headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Silent(Exception):  # internal: `door` turns it into a reply
    """Nothing usable came back: `timeout`, `unreachable` or `cut`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Line:
    """Connections to one address. Each is used by one exchange at a time; idle ones are kept."""

    def __init__(self, address: str, certificate: str = "", most_bytes: int = MOST_BYTES) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context()
            if certificate:  # our own: trusted as it is, whoever issued it
                self._tls.load_verify_locations(certificate)
                self._tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._most_bytes = most_bytes
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def post(self, path: str, body: bytes, headers: dict[str, str], seconds: float) -> Heard:
        """The answer. A kept connection that the other side closed meanwhile is opened anew. Raises Silent."""
        end = time.monotonic() + seconds
        sent = (path, body, headers)
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return self._exchange(kept, sent, end, kept=True)
            except Silent as silent:
                if silent.kind != "stale":
                    raise
        return self._exchange(self._open(seconds), sent, end, kept=False)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.close()

    def _open(self, seconds: float) -> http.client.HTTPConnection:
        if self._tls is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        else:
            made = http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._tls)
        try:
            made.connect()
        except TimeoutError:
            raise Silent("timeout") from None
        except OSError:
            raise Silent("unreachable") from None
        return made

    def _exchange(
        self, connection: http.client.HTTPConnection, sent: tuple[str, bytes, dict[str, str]], end: float, *, kept: bool
    ) -> Heard:
        keep, began = False, False
        path, body, headers = sent
        try:
            _hurry(connection, end)
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            began = True
            data = _whole(connection, response, end, self._most_bytes)
            keep = not response.will_close
            found = {name.lower(): value for name, value in response.getheaders()}
            return Heard(response.status, found, data)
        except TimeoutError:
            raise Silent("timeout") from None
        except (OSError, http.client.HTTPException):
            raise Silent("stale" if kept and not began else "cut") from None
        finally:
            if keep:
                with self._lock:
                    self._idle.append(connection)
            else:
                with contextlib.suppress(OSError):
                    connection.close()


def _hurry(connection: http.client.HTTPConnection, end: float) -> None:
    """Let the next wait last no longer than the deadline. Raises TimeoutError where it is over."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if connection.sock is not None:
        connection.sock.settimeout(left)


def _whole(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, end: float, most_bytes: int
) -> bytes:
    pieces, size = [], 0
    while True:
        _hurry(connection, end)
        piece = response.read1(_PIECE)
        if not piece:
            break
        size += len(piece)
        if size > most_bytes:
            raise http.client.HTTPException("more than is read")
        pieces.append(piece)
    if response.length:
        raise http.client.IncompleteRead(b"")
    response.close()  # read1 leaves it open, and the connection would take no further request
    return b"".join(pieces)
