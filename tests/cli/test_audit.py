"""The audit from outside: an instance, its log checked, exported, held, erased, and tampered with, by commands alone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Running, config, until
from tests.fakes.fake_openai import FakeOpenAi

VERIFIER = Path(__file__).parents[2] / "verifier" / "verify_audit.py"
MORE = """
[capture]
bodies = true
[capture.retention]
HIPAA = 2000
[audit]
checkpoints = ["{public}"]
every_seconds = 0.2
"""


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("audited")
    (folder / "public").mkdir()
    with FakeOpenAi() as vendor:
        made = Running(folder, vendor)
        made.config.write_text(config(vendor, MORE.format(public=folder / "public")))
        made.start()
        yield made
        if made.process is not None and made.process.poll() is None:
            made.stop()


def ask(audited: Running, subject: str) -> str:
    """The id of a call about somebody, as its answer's header tells it."""
    request = urllib.request.Request(
        audited.banner["endpoints"]["gateway"] + "/v1/chat/completions",
        json.dumps({"model": "assistant", "messages": [{"role": "user", "content": f"I am {subject}"}]}).encode(),
        {
            "authorization": f"Bearer {audited.banner['secret']}",
            "content-type": "application/json",
            "x-freehold-subject": subject,
        },
    )
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["x-request-id"])


def receipt(audited: Running, call: str) -> dict[str, object]:
    return until(lambda: audited("receipts", "show", call, "--json").json)


def test_the_header_names_the_receipt_and_the_log_verifies(audited: Running) -> None:
    call = ask(audited, "ann")
    assert receipt(audited, call)["statement"]["call"] == call
    told = until(lambda: (found := audited("audit", "verify", "--json")).code == 0 and found)
    assert told.json["good"]
    assert told.json["size"] > 0
    report = until(lambda: (found := audited("audit", "verify", "--json").json)["outside"] == found["size"] and found)
    assert report["problems"] == []
    listed = audited("audit", "checkpoints", "--json").json
    assert listed["checkpoints"][-1]["size"] >= report["outside"] > 0
    assert listed["outside"][0]["error"] == ""
    assert "[ok] audit: outside" in audited("doctor").out


def test_what_stands_at_a_leaf_is_shown(audited: Running) -> None:
    call = ask(audited, "ann")
    leaf = receipt(audited, call)["leaf"]
    assert audited("audit", "show", str(leaf), "--json").json["call"] == call
    changes = audited("audit", "show", "--json").json
    assert changes
    assert all(one["kind"] for one in changes)
    assert audited("audit", "show", "999999").code == 1


def test_others_check_an_export_without_freehold(audited: Running, tmp_path: Path) -> None:
    ask(audited, "ann")
    key = audited("receipts", "public-key").out.strip()
    assert audited("audit", "export", str(tmp_path / "export")).code == 0
    assert audited("audit", "verify", str(tmp_path / "export"), "--public-key", key).code == 0
    outside = until(lambda: sorted((audited.folder / "public").rglob("*.note")))
    assert outside
    done = subprocess.run(
        [sys.executable, str(VERIFIER), str(tmp_path / "export"), "--public-key", key],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "good")


def test_a_hold_then_an_erasure(audited: Running) -> None:
    call = ask(audited, "bob")
    receipt(audited, call)
    held = audited(
        "audit", "hold", "add", "--subject", "bob", "--team", team(audited, call), "--why", "case 12", "--json"
    )
    assert held.code == 0, held.err
    erase = ("audit", "erase", "--subject", "bob", "--team", team(audited, call), "--why", "asked to")
    refused = audited(*erase)
    assert refused.code == 1
    assert "FH-CON-013" in refused.err
    assert "case 12" in refused.err
    assert held.json["id"] in audited("audit", "hold", "list").out
    assert audited("audit", "hold", "release", held.json["id"], "--why", "settled").code == 0
    assert audited(*erase).code == 0
    until(lambda: "FH-NOT-010" in audited("receipts", "show", call).err)
    report = until(lambda: (found := audited("audit", "verify", "--json").json)["erased"] == 1 and found)
    assert report["good"], report["problems"]
    shown = audited("calls", "show", call, "--json").json
    assert {one["erased_why"] for one in shown["bodies"]} == {"asked to"}
    kinds = [one["kind"] for one in audited("audit", "show", "--json").json]
    assert kinds.count("erase.refused") == kinds.count("hold.add") == kinds.count("subject.erased") == 1


def team(audited: Running, call: str) -> str:
    return str(audited("calls", "show", call, "--json").json["call"]["team"])


def test_what_is_changed_behind_its_back_is_named(audited: Running) -> None:
    call = ask(audited, "ann")
    leaf = receipt(audited, call)["leaf"]
    assert audited.stop() == 0
    good = audited("audit", "verify", "--json")
    assert (good.code, good.json["outside"]) == (0, good.json["size"]), "the last checkpoint got out"
    connection = sqlite3.connect(audited.home / "freehold.db")
    connection.execute("UPDATE calls SET label = 'public' WHERE leaf = ?", (leaf,))
    connection.commit()
    connection.close()
    told = audited("audit", "verify")
    assert told.code == 4
    assert f"[fail] leaf {leaf} ({call}): its row was changed after it was logged" in told.out
