"""A real browser at the console of a running instance: the system's Chromium, driven by Playwright; nothing is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
GRAVE = ("serious", "critical")


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium; skips where the system has none."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: install the system's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield made
        made.close()


def signed_in(made: Any, link: str, **options: Any) -> tuple[Any, list[str]]:
    """A page that a one-time link signed in, and what its scripts complain of from now on."""
    page = made.new_context(viewport=options.pop("viewport", WIDE), **options).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/**")
    return page, complaints


def grave(page: Any) -> list[str]:
    """Serious and critical findings of axe."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} ({len(one['nodes'])})" for one in found if one["impact"] in GRAVE
    ]


def paths(page: Any, base: str) -> list[str]:
    """Every page of the list, and the first one that each leads to."""
    found: list[str] = page.eval_on_selector_all(".way-wide a[data-key]", "every => every.map(one => one.pathname)")
    for path in list(found):
        page.goto(base + path)
        inside = page.eval_on_selector_all(
            "main a[href^='/console/']", "all => all.map(one => one.pathname + one.search)"
        )
        deeper = [one for one in inside if one.startswith(path.rstrip("/") + "/") and one not in found]
        files = ("export", "receipt", "dossier", "file", "picture", "page", "html", "bytes")
        found += [one for one in deeper if not one.endswith(files)][:1]
    return found
