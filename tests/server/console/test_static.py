"""What the console serves as files: other people's exactly as they were published, with their licences; ours small."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re

from freehold.server.console.render import FOLDER, STATIC

VENDOR = STATIC / "vendor"
PERMISSIVE = {"0BSD", "MIT"}
FIRST_LOAD = ("console.css", "console.js", "vendor/htmx.min.js", "vendor/sse.min.js", "vendor/uPlot.iife.min.js",
              "vendor/uPlot.min.css")  # fmt: skip


def test_vendored_files_are_as_they_were_published_and_licensed():
    with (VENDOR / "VENDORED.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert hashlib.sha256((VENDOR / row["file"]).read_bytes()).hexdigest() == row["sha256"], row["file"]
        assert row["licence"] in PERMISSIVE
        assert (VENDOR / row["licence_file"]).stat().st_size > 300
    known = {row["file"] for row in rows} | {row["licence_file"] for row in rows} | {"VENDORED.csv"}
    assert {one.name for one in VENDOR.iterdir()} == known


def test_the_first_load_is_small():
    assert sum(len(gzip.compress((STATIC / name).read_bytes(), 5)) for name in FIRST_LOAD) < 100_000


def test_files_are_kept_by_browsers_until_they_change(signed_in):
    page = signed_in.get("/").text
    for address in re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page):
        told = signed_in.client.get(address)
        assert told.status_code == 200, address
        assert "immutable" in told.headers["cache-control"]
        assert told.headers["x-content-type-options"] == "nosniff"
    assert signed_in.client.get("/console/static/../app.py").status_code == 404
    assert signed_in.client.get("/console/static/%2e%2e/app.py").status_code == 404


def test_no_template_lets_text_through_unescaped():
    for one in (FOLDER / "templates").glob("*.html"):
        text = one.read_text()
        assert "|safe" not in text.replace(" ", ""), one.name
        assert "autoescape" not in text, one.name
        assert not re.search(r"\s(on[a-z]+|style)=", text), one.name
