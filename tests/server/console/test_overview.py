"""The first screen: whoever looks, it leads only to where they may go, and an empty install to where one begins."""

from __future__ import annotations

import re


def test_an_empty_install_leads_to_the_first_call_import_and_plan(signed_in):
    page = signed_in.get("/").text
    for way in ("Begin here", "freehold workflows import", "/console/keys", "/console/playground", "/console/plans"):
        assert way in page
    assert "No workflow is known yet" in page
    assert "Nothing. Approvals" in page


def test_it_leads_nobody_to_where_their_role_may_not_go(browser_of):
    for role in ("owner", "auditor", "finance"):
        browser = browser_of(role)
        page = browser.get("/").text
        for address in set(re.findall(r'href="/console(/[^"#?]*)', page)):
            if not address.startswith("/static"):
                assert browser.get(address).status_code == 200, (role, address)


def test_what_needs_somebody_is_listed_with_where_it_is_dealt_with(client, signed_in, instance):
    file = instance.loaded.file
    from freehold.settings.load import load

    file.write_text(file.read_text().replace("[serving]", "[gateway]\nport = 1234\n[serving]"))
    instance.adopt(load(str(file), str(instance.home)), "test")
    page = signed_in.get("/").text
    assert "[gateway] changed: counts after a restart" in page
    needs = client.get("/api/overview/needs").json()["needs"]
    assert [(one["kind"], one["page"]) for one in needs] == [("settings", "/config")]
