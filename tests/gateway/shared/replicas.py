"""Gateways in threads that share a Valkey server, each with a home of its own and the same keys and snapshots."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from freehold.gateway.shared.line import Shared
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance

PATIENT = {"answer_seconds": 60.0, "lookup_seconds": 30.0}
"""So that a slow machine is not taken for a server that is away."""


@contextmanager
def replicas(folder: Path, url: str, vendor, keys, count: int = 2, **more) -> Iterator[list[Instance]]:
    """`more` is of `Shared`, but `routes`."""
    routes = more.pop("routes", (p.route("gpt", "gpt", attempts=1),))
    targets = (p.target("gpt", vendor.port, model="gpt-fake", **p.LIMITS),)
    homes: list[Path] = []
    with ExitStack() as stack:
        made = []
        for number in range(count):
            home = folder / f"home-{number}"
            home.mkdir(parents=True)
            for name in ("identity.key", "data.key"):
                if homes and (homes[0] / name).exists():
                    shutil.copy(homes[0] / name, home / name)
            homes.append(home)
            shared = Shared(url=url, password=lambda: "", share=count, **{**PATIENT, **more})
            made.append(
                stack.enter_context(
                    Instance(Home(home, p.routes(targets, *routes), keys), secret=vendor.key, shared=shared)
                )
            )
        yield made


def ask(instance: Instance, key: str = p.KEY, **more) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case and body of one call."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", **more.pop("headers", {})}
    path = more.pop("path", p.CHAT)
    url = f"http://127.0.0.1:{instance.port}{path}"
    body = p.messages_body if path == p.MESSAGES else p.chat_body
    request = urllib.request.Request(url, body("gpt", **more), headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as got:
            return got.status, {name.lower(): value for name, value in got.headers.items()}, got.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()
