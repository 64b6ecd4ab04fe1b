"""A management API over a real database, real keys and real snapshots, without sockets."""

from __future__ import annotations

import time

import pytest
from starlette.testclient import TestClient

import freehold.jobs.tables
import freehold.ledger.tables
import freehold.server.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.crypto import Identity
from freehold.core.db import connect, metadata, url_of
from freehold.ledger.audit.store import append
from freehold.server.app import create_app, guarded
from freehold.server.instance import Instance
from freehold.server.publish import Facts, Publisher
from freehold.settings.load import load

TOKEN = "token-of-the-owner"
CONFIG = """\
[providers.v]
base_url = "http://127.0.0.1:9/v1"
api_key = "${env:V_KEY}"
[targets.rented]
provider = "v"
[targets.mine]
provider = "house"
clearance = "restricted:GDPR"
[routes.assistant]
targets = ["mine", "rented"]
aliases = ["gpt-4o"]
[serving]
enabled = false
[teams.search]
budget = 5
[providers.house]
base_url = "http://127.0.0.1:9/v1"
owned = true
"""


@pytest.fixture
def instance(tmp_path):
    file = tmp_path / "freehold.toml"
    file.write_text(CONFIG)
    home = tmp_path / "home"
    home.mkdir()
    engine = connect(url_of(home / "freehold.db"))
    metadata.create_all(engine)
    identity = Identity.load(home / "identity.key")
    publisher = Publisher(engine, home, identity, time.time, Facts(owned=tuple))
    loaded = load(str(file), str(home))
    made = Instance(engine, identity, loaded, publisher, append, time.time)
    made.versions = publisher.publish(loaded.settings)
    yield made
    engine.dispose()


@pytest.fixture
def client_of(instance):
    """A client that shows a token; with None it shows none."""
    opened = []

    def make(token=TOKEN):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        app = guarded(create_app(instance, TOKEN), ("testserver", "127.0.0.1"))
        opened.append(TestClient(app, headers=headers, raise_server_exceptions=False))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def client(client_of):
    return client_of()
