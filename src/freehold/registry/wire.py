"""HTTP to a registry or hub that a person named: plain requests, redirects followed, answers in bounded pieces.

Invariant: credentials go to the host they were given for, and never over plain HTTP but to this machine.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from freehold.core.errors import BadArtefact, NotFound
from freehold.registry.errors import RegistryFailed

SECONDS = 60.0
CHUNK = 4 << 20
SMALL = 16 << 20
"""Bytes of an answer that is read whole."""
_REDIRECTS = 5
_LOCAL = ("127.0.0.1", "::1", "localhost")

Headers = Mapping[str, str]


def local(host: str) -> bool:
    """Whether a host is this machine."""
    return host in _LOCAL


class Answer:
    """A response whose body is still to be read."""

    def __init__(self, raw: http.client.HTTPResponse, url: str) -> None:
        self._raw = raw
        self.url = url
        self.status = raw.status
        self.headers = {name.lower(): value for name, value in raw.getheaders()}

    def small(self) -> bytes:
        """The whole body. Raises RegistryFailed where it is larger than what is read whole."""
        data = self._raw.read(SMALL + 1)
        if len(data) > SMALL:
            raise RegistryFailed(f"{_bare(self.url)} answered more than {SMALL >> 20} MiB")
        return data

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.small())
        except (ValueError, RecursionError):
            raise RegistryFailed(f"{_bare(self.url)} answered what is no JSON") from None

    def pieces(self) -> Iterator[bytes]:
        """The body, piece by piece."""
        while data := self._raw.read(CHUNK):
            yield data


@contextmanager
def asked(
    method: str, url: str, headers: Headers | None = None, body: bytes | BinaryIO | None = None
) -> Iterator[Answer]:
    """Send a request and give its answer; redirects of GET and HEAD are followed, without credentials elsewhere.

    Raises RegistryFailed where there is no answer.
    """
    sent = dict(headers or {})
    for _ in range(_REDIRECTS):
        connection = _connected(url, sent)
        try:
            parts = urlsplit(url)
            try:
                connection.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, sent)
                raw = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise RegistryFailed(f"{_bare(url)} does not answer: {error}") from None
            where = raw.getheader("location")
            if raw.status in (301, 302, 303, 307, 308) and where and method in ("GET", "HEAD"):
                target = urljoin(url, where)
                if urlsplit(target).netloc != parts.netloc:
                    sent.pop("authorization", None)
                url = target
                continue
            try:
                yield Answer(raw, url)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.filename is not None:
                    raise  # of a file of ours
                raise RegistryFailed(f"{_bare(url)} broke off: {error}") from None
            return
        finally:
            connection.close()
    raise RegistryFailed(f"{_bare(url)} leads from one place to the next without end")


def download(
    url: str, target: Path, headers: Headers | None = None, *, size: int | None = None, sha256: str = ""
) -> str:
    """Write what an address holds into a new file; its SHA-256 in hex.

    Raises BadArtefact where size or digest is not the one expected, NotFound and RegistryFailed.
    """
    digest, count = hashlib.sha256(), 0
    with asked("GET", url, headers) as answer:
        good(answer)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for data in answer.pieces():
                count += len(data)
                if size is not None and count > size:
                    break
                digest.update(data)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
    if (size is not None and count != size) or (sha256 and digest.hexdigest() != sha256):
        raise BadArtefact(f"{_bare(url)} answered other bytes than were named", hint="try again; else ask its owner")
    return digest.hexdigest()


def good(answer: Answer) -> Answer:
    """The answer, where it is a success. Raises NotFound or RegistryFailed in words."""
    if answer.status == 404:
        raise NotFound(f"{_bare(answer.url)} is not there", hint="check the name and the revision or tag")
    if answer.status in (401, 403):
        raise RegistryFailed(f"{_bare(answer.url)} asks for other credentials ({answer.status})")
    if answer.status >= 300:
        raise RegistryFailed(f"{_bare(answer.url)} answered {answer.status}")
    return answer


def _connected(url: str, headers: Headers) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context, blocksize=CHUNK)
    if parts.scheme != "http" or not host:
        raise BadArtefact(f"{_bare(url)} is no address of a registry")
    if "authorization" in headers and not local(host):
        raise RegistryFailed(f"credentials are not sent to {host} in clear", hint="use https")
    return http.client.HTTPConnection(host, parts.port, timeout=SECONDS, blocksize=CHUNK)


def _bare(url: str) -> str:
    """Without its query, which may hold a signature."""
    return url.partition("?")[0][:200]
