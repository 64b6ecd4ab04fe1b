"""The console over a real management API, in process."""

from __future__ import annotations

import re

import pytest

from tests.server.conftest import TOKEN
from tests.server.console.moving import flow, move, run  # noqa: F401  fixtures, for whoever names them

FORM = re.compile(r'name="form" value="([0-9a-f]+)"')


class Browser:
    """What a browser without scripts does: it keeps cookies, reads pages, sends forms."""

    def __init__(self, client):
        self.client = client

    def enter(self, secret):
        """Sign in by a key."""
        told = self.client.post("/console/sign-in", data={"key": secret}, follow_redirects=False)
        assert told.status_code == 303, told.text
        return self

    def get(self, path, **named):
        """A page below /console."""
        return self.client.get("/console" + path, **named)

    def twin(self, path):
        """What the API said for a page."""
        return self.client.get("/console" + path, params={"as": "json"}).json()

    def send(self, path, fields=(), page="/calls", **named):
        """A form of a page, with the word of its session."""
        word = FORM.search(self.get(page).text)[1]
        return self.client.post("/console" + path, data={"form": word, **dict(fields)}, **named)


@pytest.fixture
def browser_of(client_of):
    """A browser that is signed in with a key of a role; `owner` is the instance's own token."""

    def make(role="owner"):
        if role == "owner":
            return Browser(client_of(None)).enter(TOKEN)
        made = client_of().post("/api/keys", json={"name": f"a-{role}", "role": role}).json()
        return Browser(client_of(None)).enter(made["secret"])

    return make


@pytest.fixture
def signed_in(browser_of):
    """The owner's browser."""
    return browser_of()
