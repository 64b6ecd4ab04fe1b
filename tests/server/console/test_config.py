"""The page of settings: read-only, with file and line; a reload; browsers that are signed in."""

from __future__ import annotations

import pytest

from freehold.settings.load import load
from freehold.settings.problems import InvalidConfig


def test_settings_of_the_file_are_told_with_their_lines(signed_in, instance):
    page = signed_in.get("/config").text
    line = instance.loaded.file.read_text().splitlines().index('api_key = "${env:V_KEY}"') + 1
    assert f"</code> line {line}</td>" in page and "${env:V_KEY}" in page and "[providers.v]" in page
    assert "default</span>" not in page, "what nobody set is not shown unasked"
    every = signed_in.get("/config?kind=all").text
    assert "default</span>" in every
    assert "[providers.v]" not in signed_in.get("/config?find=serving").text
    assert "No setting matches" in signed_in.get("/config", params={"find": '"><img src=x>'}).text


def test_a_refused_file_is_told_with_its_problems(signed_in, instance):
    file = instance.loaded.file
    file.write_text(file.read_text() + '\n[routes.x]\ntargets = ["nobody"]\n')
    with pytest.raises(InvalidConfig) as refused:
        load(str(file), str(instance.home))
    instance.problems = refused.value
    page = signed_in.get("/config").text
    assert "A newer file was refused" in page and "nobody" in page
    assert signed_in.send("/config/reload", page="/config").status_code == 422


def test_the_file_is_read_again_when_asked(signed_in, instance):
    file = instance.loaded.file
    file.write_text(file.read_text().replace("budget = 5", "budget = 8"))
    done = signed_in.send("/config/reload", page="/config")
    assert "The file was read again" in done.text
    assert str(instance.settings.teams["search"].budget.limit) == "8"
    assert signed_in.client.post("/console/config/reload", data={"form": "x"}).status_code == 403


def test_browsers_are_listed_and_signed_out(signed_in, browser_of, client):
    other = browser_of("auditor")
    assert "Sign out<" not in other.get("/config").text.partition("Who is signed in here")[2]
    sessions = client.get("/api/console/sessions").json()
    theirs = next(one for one in sessions if one["by"] == "key")
    assert theirs["id"] in signed_in.get("/config").text
    done = signed_in.send(f"/config/sessions/{theirs['id']}/revoke", page="/config")
    assert "signed out" in done.text
    assert other.get("/config", follow_redirects=False).status_code == 303


def test_a_role_without_the_right_is_told(browser_of):
    assert "Not for your role" in browser_of("finance").get("/config").text
