"""Everything that runs during a bench: mock, TLS front, peers and Freehold, each started once and left alone.

All subjects stay up while others are measured, so that runs can be interleaved.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import trustme

from bench import configs
from bench.load import Subject, Tools
from bench.peers import NGINX_TLS, Peer, Place, Unavailable, binary, launch
from bench.pinning import LOAD_CORE, Child
from freehold.core.ports import free_port


class Field(msgspec.Struct, kw_only=True):
    """What is up, and what could not be had."""

    tools: Tools
    out: Path
    upstream: int
    mocks: list[Child]
    children: list[Child] = []
    tls_upstream: int = 0
    ca: Path | None = None
    subjects: list[Subject] = []
    skipped: dict[str, str] = {}

    def direct(self) -> Subject:
        """The mock itself; for latencies it moves to the gateway's core."""
        return Subject(name="direct", port=self.upstream)

    def same_core(self) -> Subject:
        """The mock itself, beside the client on the load core whatever is measured."""
        return Subject(name="direct-same-core", port=self.upstream)

    def add(self, subject: Subject, seconds: float = 90.0) -> None:
        """Take `subject` in once it answers; otherwise note why it does not."""
        problem = first_answer(subject, seconds)
        if problem is None:
            self.subjects.append(subject)
        else:
            self.skipped[subject.name] = problem
            if subject.child is not None:
                subject.child.stop()


@contextlib.contextmanager
def opened(tools: Tools, out: Path) -> Iterator[Field]:
    """A field with mock and, where it can be had, a TLS front; all its children end with it."""
    upstream = free_port()
    mock = Child("mock", [str(tools.mock), str(upstream)], LOAD_CORE, out / "logs" / "mock.log")
    field = Field(tools=tools, out=out, upstream=upstream, mocks=[mock])
    try:
        problem = first_answer(field.direct(), 10)
        if problem is not None:
            raise RuntimeError(f"the mock does not answer: {problem}")
        _tls_front(field)
        yield field
    finally:
        for child in [*field.children, *field.mocks]:
            child.stop()


def _tls_front(field: Field) -> None:
    """HAProxy in front of the mock, on the load core, with a certificate of a CA made for this run."""
    program = binary("haproxy")
    if program is None:
        field.skipped["tls"] = "haproxy, which terminates TLS before the mock, is not installed"
        return
    folder = field.out / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    field.ca, field.tls_upstream = folder / "ca.pem", free_port()
    path = configs.haproxy(folder, field.tls_upstream, field.upstream, folder / "both.pem")
    field.mocks.append(Child("tls-front", [program, "-f", str(path)], LOAD_CORE, folder / "haproxy.log"))


def add_peers(field: Field, peers: list[Peer]) -> None:
    """Install and start every peer that can be had; the TLS twins too, where there is a TLS front."""
    wanted = [(one.name, one, False) for one in peers]
    if field.tls_upstream:
        wanted += [(f"{one.name}-tls", one, True) for one in peers if one.tls]
        if any(one.name == "nginx" for one in peers):
            wanted.append(("nginx-tls", NGINX_TLS, True))
    for name, peer, tls in wanted:
        # nginx writes its own files per instance; the others share one installation.
        folder = field.out / "peers" / (name if peer.name.startswith("nginx") else peer.name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Place(
            folder=folder,
            port=free_port(),
            upstream=field.upstream,
            tls_upstream=field.tls_upstream if tls else 0,
            ca=field.ca if tls else None,
        )
        try:
            peer.install(folder)
            folder.mkdir(parents=True, exist_ok=True)
            child, start = launch(peer, name, place)
        except (OSError, Unavailable) as error:
            field.skipped[name] = str(error)
            continue
        field.children.append(child)
        field.add(Subject(name=name, port=place.port, child=child, headers=start.headers, slow=peer.slow))


def first_answer(subject: Subject, seconds: float) -> str | None:
    """Ask until the first good answer: None, or why there was none in `seconds`."""
    body = json.dumps(
        {"model": subject.model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
    ).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {subject.key}"}
    for one in subject.headers:
        name, _, value = one.partition(":")
        headers[name.strip()] = value.strip()
    last = "no connection"
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if subject.child is not None and not subject.child.alive():
            return f"ended at once: {subject.child.tail()}"
        connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=20)
        try:
            connection.request("POST", "/v1/chat/completions", body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status == 200 and b"aaaaaa" in data:
                return None
            last = f"status {answer.status}: {data[:200].decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(0.02)
    return f"no good answer in {seconds:g} s; last: {last}"
