"""Pictures of the console's pages: `python -m docs.screens [--link ADDRESS]` (`make screens`).

Without an address an instance is filled by the demo first, which takes some minutes; with one (`freehold console`
prints it) a running instance is looked at. The system's Chromium draws; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "screens"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
PLAN_SECONDS = 180.0
PAGES = (
    ("overview", "/console/", ""),
    ("calls", "/console/calls", ""),
    ("call", "/console/calls", "tbody tr a"),
    ("workflows", "/console/workflows", ""),
    ("workflow", "/console/workflows", "tbody tr a"),
    ("moves", "/console/moves", ""),
    ("move", "/console/moves", "tbody tr a"),
    ("evals", "/console/evals", ""),
    ("scorecard", "/console/evals", "tbody tr a"),
    ("annotations", "/console/annotations", ""),
    ("plans", "/console/plans", ""),
    ("plan", "/console/plans", "tbody tr a"),
    ("models", "/console/models", ""),
    ("model", "/console/models", "tbody tr a"),
    ("errata", "/console/errata", ""),
    ("playground", "/console/playground", ""),
    ("keys", "/console/keys", ""),
    ("policy", "/console/policy", ""),
    ("guard", "/console/guard", ""),
    ("audit", "/console/audit", ""),
    ("config", "/console/config", ""),
)
"""Name of the picture, the page, and what is followed on it to the one that is drawn."""


def draw(link: str) -> list[str]:
    """Every picture; names of those that could not be made, where a page leads nowhere yet."""
    from playwright.sync_api import sync_playwright

    base, missing = link.partition("/console")[0], []
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = made.new_context(viewport=WIDE).new_page()
        page.goto(link)
        page.get_by_role("button", name="Sign in").click()
        for name, path, inside in PAGES:
            if not _shown(page, base + path, inside):
                missing.append(name)
                continue
            page.screenshot(path=FOLDER / f"{name}.png")
        for name, viewport, scheme in (("overview-dark", WIDE, "dark"), ("overview-phone", NARROW, "light")):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(viewport)
            page.goto(f"{base}/console/")
            page.screenshot(path=FOLDER / f"{name}.png")
        made.close()
    return missing


def _shown(page: Any, address: str, inside: str) -> bool:
    page.goto(address)
    if not inside:
        return True
    found = page.locator(f"main {inside}")
    if not found.count():
        return False
    with page.expect_navigation():
        found.first.click()
    return True


@contextmanager
def _instance() -> Iterator[str]:
    """A link into an instance that the demo filled, with a plan made from its traffic."""
    from demo.playing import filled

    with tempfile.TemporaryDirectory(prefix="freehold-screens-") as name, filled(Path(name)) as running:
        options = ("--recorded", "--now", "openai/gpt-4o", "--model", "Llama-3.1-8B", "--gpu", "H100", "--keep")
        running.freehold("plan", *options)
        end = time.monotonic() + PLAN_SECONDS
        while not running.freehold("plan", "list") and time.monotonic() < end:
            time.sleep(1)
        yield running.freehold("console")["address"]


def main() -> int:
    """Draw, and say what is missing."""
    parser = argparse.ArgumentParser(prog="python -m docs.screens", description=__doc__)
    parser.add_argument("--link", help="a link into a running instance, as freehold console prints it")
    options = parser.parse_args()
    if shutil.which("chromium") is None:
        print("there is no Chromium on this machine: install the system's package chromium", file=sys.stderr)
        return 1
    if options.link:
        missing = draw(options.link)
    else:
        with _instance() as link:
            missing = draw(link)
    print(
        f"{len(PAGES) + 2 - len(missing)} pictures in {FOLDER}" + (f"; none of {', '.join(missing)}" if missing else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
