from __future__ import annotations

import json
import re
from pathlib import Path

from freehold.core.crypto import Sealer
from freehold.core.db import connect, url_of
from freehold.ledger.capture import Bodies
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which
from tests.workflows.logs import call, jsonl


def shelf(home):
    return Shelf(connect(url_of(home / "freehold.db")), Bodies(home / "bodies", Sealer.load(home / "data.key")))


def records(home):
    found = shelf(home)
    read = list(found.records(Which()))
    found._engine.dispose()
    return read


def test_a_log_is_imported_into_a_home_that_was_not_there(cli, tmp_path):
    Path("log.jsonl").write_bytes(jsonl(call(1), b"{", call(2)))
    told = cli("import", "log.jsonl", "--label", "internal", "--consent", "yes", "--home", "here")
    assert told.code == 0
    last = told.out.splitlines()[-1]
    assert re.match(r"imp_[0-9a-f]{32} in \d+\.\d s: 2 new, 0 known, 0 skipped, 1 rejected: .*\.rejects\.jsonl$", last)
    assert "label: internal" in told.out
    assert json.loads(Path(last.rpartition(": ")[2]).read_text())["line"] == 2
    assert [(one.label, one.consent) for one in records(tmp_path / "here")] == [("internal", True)] * 2
    assert (tmp_path / "here").stat().st_mode & 0o077 == 0


def test_importing_again_says_that_all_is_known(cli, tmp_path):
    Path("log.jsonl").write_bytes(jsonl(call(1)))
    cli("import", "log.jsonl", "--json")
    told = cli("import", "log.jsonl", "--json")
    assert (told.code, told.json["new"], told.json["known"], told.json["rejects"]) == (0, 0, 1, "")
    assert told.json["files"][0]["formats"] == {"plain": 1}
    assert told.err == ""


def test_without_a_label_the_highest_counts_and_is_said(cli, tmp_path):
    Path("log.jsonl").write_bytes(jsonl(call(1)))
    told = cli("import", "log.jsonl")
    assert "label: unknown (the most sensitive" in told.out
    assert records(tmp_path / ".freehold")[0].label == "unknown"


def test_elsewhere_than_on_a_terminal_progress_is_a_dated_line_each_tenth(cli):
    Path("log.jsonl").write_bytes(jsonl(*(call(number, question="x" * 600) for number in range(3000))))
    told = cli("import", "log.jsonl")
    lines = [line for line in told.err.splitlines() if "importing" in line]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  importing  +\d+ %", line) for line in lines)
    assert 2 <= len(lines) <= 10 and "100 %" in lines[-1]


def test_a_file_that_cannot_be_read_to_its_end_is_a_failure_but_the_rest_is_kept(cli, tmp_path):
    Path("good.jsonl").write_bytes(jsonl(call(1)))
    Path("bad.csv").write_bytes(b"a,b\n1,2\n")
    told = cli("import", "bad.csv", "good.jsonl")
    assert told.code == 1 and "neither a JSON document" in told.err and "1 new" in told.out
    assert len(records(tmp_path / ".freehold")) == 1


def test_wrong_usage_is_told(cli):
    Path("log.jsonl").write_bytes(jsonl(call(1)))
    assert cli("import").code == 2
    assert cli("import", "nowhere.jsonl").code == 2
    assert "no label level" in cli("import", "log.jsonl", "--label", "secretish").err


def test_another_label_for_what_is_known_is_not_said_to_count(cli, tmp_path):
    Path("log.jsonl").write_bytes(jsonl(call(1)))
    cli("import", "log.jsonl")
    told = cli("import", "log.jsonl", "--label", "internal")
    assert "label: internal" not in told.out
    assert "1 known calls keep the label" in told.out
    assert records(tmp_path / ".freehold")[0].label == "unknown"
    assert cli("import", "log.jsonl", "--label", "internal", "--home", "fresh").code == 0
    assert records(tmp_path / "fresh")[0].label == "internal"
