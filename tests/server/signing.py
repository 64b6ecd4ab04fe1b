"""Signing in at the management API, as the command does it and as a browser does its part."""

from __future__ import annotations

from freehold.settings.load import load
from tests.fakes.oidc import REDIRECT, browse
from tests.server.conftest import CONFIG

OIDC = """\
[identity]
session_hours = 2
break_glass_minutes = 30
{identity}
[identity.oidc]
issuer = "{issuer}"
client_id = "freehold"
client_secret = "${{env:OIDC_SECRET}}"
{oidc}
[identity.oidc.roles]
"ai-owners" = "owner"
"ai-operators" = "operator"
"audit" = "auditor"
"books" = "finance"
"builders" = "developer"
"""


def adopt(instance, issuer, oidc="", identity=""):
    """Put an issuer in force."""
    file = instance.loaded.file
    file.write_text(CONFIG + OIDC.format(issuer=issuer, oidc=oidc, identity=identity))
    instance.adopt(load(str(file), str(instance.home)), "test")


def begin(nobody):
    told = nobody.post("/api/login", json={"redirect_uri": REDIRECT})
    assert told.status_code == 201, told.text
    return told.json()


def finish(nobody, begun, back, **changes):
    body = {"state": back["state"], "ticket": begun["ticket"], "code": back.get("code", "")}
    body |= {name: back[name] for name in ("iss", "error") if name in back}
    return nobody.post("/api/login/finish", json={**body, **changes})


def sign_in(nobody, subject="eve"):
    """The answer to a whole sign-in."""
    begun = begin(nobody)
    return finish(nobody, begun, browse(begun["address"], subject))


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]
