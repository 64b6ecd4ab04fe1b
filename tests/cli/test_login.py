"""People at the command line: a whole instance, a real provider, and a browser played by the test."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.cli.conftest import Running, config, until
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.oidc import Provider, browse

IDENTITY = """\
[identity.oidc]
issuer = "{issuer}"
client_id = "freehold"
client_secret = "${{env:OIDC_SECRET}}"
[identity.oidc.roles]
"ai-owners" = "owner"
"ai-operators" = "operator"
"""


class Terminal:
    """One person's terminal: the same instance, a configuration folder of their own."""

    def __init__(self, running, folder):
        self.running = running
        self.folder = folder

    def __call__(self, *arguments):
        return self.running(*arguments, XDG_CONFIG_HOME=str(self.folder))

    def login(self, subject, *options):
        """Sign in, with the browser's part played here; exit code and what was said."""
        command = [sys.executable, "-m", "freehold", *self.running.options(), "login", "--json", *options]
        environment = {**self.running.environment(), "XDG_CONFIG_HOME": str(self.folder)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environment, cwd=self.running.folder, **pipes) as process:
            lines = iter(process.stderr.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http\S+authorize\S+", line)))
            redirect = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["redirect_uri"][0]
            back = f"{redirect}?{urllib.parse.urlencode(browse(address, subject))}"
            if "--paste" in options:
                out, err = process.communicate(back + "\n", timeout=30)
            else:
                urllib.request.urlopen(f"{redirect}?state=of-somebody-else&code=x", timeout=20).close()
                with urllib.request.urlopen(back, timeout=20) as page:
                    assert b"close this window" in page.read()
                out, err = process.communicate(timeout=30)
        return process.returncode, out + err


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    provider = Provider().start()
    with FakeOpenAi() as vendor, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OIDC_SECRET", "not-a-secret")
        made = Running(folder, vendor)
        made.config.write_text(config(vendor, IDENTITY.format(issuer=provider.issuer)))
        made.start()
        for name in ("ada", "bob"):
            provider.tell(name, email=f"{name}@bank.example", email_verified=True, groups=["ai-operators"])
        yield made
        made.stop()
    provider.stop()


@pytest.fixture
def terminal(house, tmp_path):
    return lambda name: Terminal(house, tmp_path / name)


def test_before_anybody_signs_in_commands_act_as_the_local_operator(terminal):
    told = terminal("nobody")("whoami", "--json").json
    assert (told["name"], told["role"], told["person"]) == ("owner", "owner", "")


def test_who_signs_in_with_a_browser_acts_as_themselves_until_they_sign_out(terminal, house):
    ada = terminal("ada")
    code, said = ada.login("ada", "--no-browser")
    assert code == 0, said + house.logs()
    assert "fs-" not in said
    kept = ada.folder / "freehold" / "sessions.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    told = ada("whoami", "--json").json
    assert (told["name"], told["role"]) == ("person/ada@bank.example", "operator")
    assert ada("keys", "create", "of-ada", "--json").code == 0
    refused = ada("keys", "create", "mine", "--role", "owner")
    assert refused.code == 1 and "FH-POL-001" in refused.err
    assert ada("logout").code == 0
    assert ada("whoami", "--json").json["name"] == "owner"


def test_the_browser_may_be_on_another_machine(terminal):
    bob = terminal("bob")
    code, said = bob.login("bob", "--paste")
    assert code == 0, said
    assert bob("whoami", "--json").json["name"] == "person/bob@bank.example"


def test_a_session_that_ended_is_said_and_never_becomes_the_owners_token(terminal):
    ada = terminal("ada")
    assert ada.login("ada", "--no-browser")[0] == 0
    assert terminal("nobody")("people", "revoke", "ada@bank.example", "--sessions-only").code == 0
    told = ada("keys", "list")
    assert told.code == 1 and "FH-KEY-013" in told.err and "freehold login" in told.err
    assert ada("logout").code == 0


def test_break_glass_by_two_terminals(terminal):
    ada, bob, operator = terminal("ada"), terminal("bob"), terminal("nobody")
    assert ada.login("ada", "--no-browser")[0] == 0
    assert bob.login("bob", "--no-browser")[0] == 0
    asked = ada("people", "break-glass", "request", "owner", "--why", "the owner is away", "--for", "10m", "--json")
    glass = asked.json["id"]
    assert "FH-POL-022" in ada("people", "break-glass", "approve", glass).err
    assert "FH-POL-021" in operator("people", "break-glass", "approve", glass).err
    assert bob("people", "break-glass", "approve", glass, "--json").json["state"] == "active"
    assert ada("whoami", "--json").json["role"] == "break-glass"
    assert ada("people", "break-glass", "end", glass, "--json").json["state"] == "ended"
    assert ada("whoami", "--json").json["role"] == "operator"
    assert [one["id"] for one in operator("people", "break-glass", "list", "--json").json] == [glass]


def test_a_key_may_lower_a_label_while_break_glass_lasts_and_no_longer(terminal, house):
    ada, bob, operator = terminal("ada"), terminal("bob"), terminal("nobody")
    assert ada.login("ada", "--no-browser")[0] == 0
    assert bob.login("bob", "--no-browser")[0] == 0
    secret = operator("keys", "create", "press", "--label", "confidential", "--json").json["secret"]

    def status():
        body = {"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}
        headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
        headers["x-freehold-declassify"] = "internal; reason=the release is out"
        address = house.banner["endpoints"]["gateway"] + "/v1/chat/completions"
        try:
            asked = urllib.request.Request(address, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert status() == 403
    asked = ada("people", "break-glass", "request", "declassify", "--key", "press", "--why", "release 12", "--json")
    assert status() == 403
    assert bob("people", "break-glass", "approve", asked.json["id"]).code == 0
    assert until(lambda: status() == 200), house.logs()
    assert ada("people", "break-glass", "end", asked.json["id"]).code == 0
    assert until(lambda: status() == 403)


def test_roles_are_given_and_taken_from_the_terminal(terminal):
    operator, bob = terminal("nobody"), terminal("bob")
    assert bob.login("bob", "--no-browser")[0] == 0
    assert operator("people", "role", "bob@bank.example", "auditor", "--json").json["role_from"] == "owner"
    assert bob("whoami", "--json").json["role"] == "auditor"
    assert operator("people", "role", "bob@bank.example", "--by-groups", "--json").json["role"] == "operator"
    assert operator("people", "revoke", "bob@bank.example", "--json").json["state"] == "revoked"
    assert bob("whoami").code == 1
    assert operator("people", "restore", "bob@bank.example", "--json").json["state"] == "active"
    assert {one["name"] for one in operator("people", "list", "--json").json} == {
        "ada@bank.example",
        "bob@bank.example",
    }


def test_a_right_of_a_key_is_given_and_taken_from_the_terminal(terminal):
    operator = terminal("nobody")
    operator("keys", "create", "publisher", "--label", "internal", "--right", "declassify")
    assert operator("keys", "show", "publisher", "--json").json["rights"] == ["declassify"]
    assert operator("keys", "update", "publisher", "--no-rights", "--json").json["rights"] == []
