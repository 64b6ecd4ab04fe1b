from __future__ import annotations

import json
import re
from pathlib import Path

from freehold.core.crypto import Sealer
from freehold.core.db import connect, reading, url_of, writing
from freehold.grading.types import Spec
from freehold.ledger.audit import store as audit
from freehold.ledger.capture import Bodies
from freehold.moves import store as moves
from freehold.moves.machine import begin
from freehold.moves.types import Event, Plan, Rule
from freehold.workflows import store
from freehold.workflows.known import store as known
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which
from freehold.workflows.types import Workflow
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


def test_a_vendor_that_nobody_knows_is_refused_with_those_that_are_known(cli, tmp_path):
    Path("log.jsonl").write_bytes(jsonl(call(1)))
    told = cli("import", "log.jsonl", "--vendor", "opnai-api")
    assert told.code == 1
    assert "did you mean openai-api?" in told.err and "anthropic-api" in told.err and "own:NAME" in told.err
    assert not (tmp_path / ".freehold" / "freehold.db").exists()
    assert cli("import", "log.jsonl", "--vendor", "own:acme").code == 0
    assert records(tmp_path / ".freehold")[0].vendor == "own:acme"


def test_a_party_of_a_written_exception_is_a_vendor_too(cli, tmp_path):
    Path("freehold.toml").write_text(
        '[[rights.overrides]]\nparty = "acme"\npurpose = "evaluate"\nallowed = true\nreason = "contract 7"\n'
        'by = "Ann"\nsince = 2026-01-01\n'
    )
    Path("log.jsonl").write_bytes(jsonl(call(1)))
    assert cli("import", "log.jsonl", "--vendor", "acme").code == 0
    assert "acme" in cli("import", "log.jsonl", "--vendor", "acne").err


def imported(cli, *more):
    Path("log.jsonl").write_bytes(jsonl(*(call(number) for number in range(3))))
    return cli("import", "log.jsonl", "--json", *more).json["id"]


def test_a_label_is_raised_freely_and_lowered_only_with_a_reason(cli, tmp_path):
    which = imported(cli)
    refused = cli("imports", "relabel", which, "--label", "internal")
    assert refused.code == 1 and "needs a reason" in refused.err
    assert {one.label for one in records(tmp_path / ".freehold")} == {"unknown"}
    lowered = cli("imports", "relabel", which, "--label", "internal", "--why", "it was forgotten", "--json")
    assert lowered.json == {"records": 3, "raised": 0, "lowered": 3}
    raised = cli("imports", "relabel", which, "--label", "confidential:GDPR", "--json")
    assert raised.json == {"records": 3, "raised": 3, "lowered": 0}
    assert {one.label for one in records(tmp_path / ".freehold")} == {"confidential:GDPR"}
    assert {one for (one,) in query(tmp_path, "select distinct label from bodies")} == {"confidential:GDPR"}
    engine = connect(url_of(tmp_path / ".freehold" / "freehold.db"))
    with reading(engine) as connection:
        kinds = [kind for _, _, kind, _, _ in audit.queued(connection, 9)]
    engine.dispose()
    assert kinds == ["records.import", "records.amend", "records.amend"]


def test_vendor_and_consent_take_a_reason_and_an_application_none(cli, tmp_path):
    which = imported(cli, "--label", "internal")
    assert cli("imports", "relabel", which, "--app", "shop").code == 0
    for option in (("--vendor", "own:acme"), ("--consent", "yes")):
        assert cli("imports", "relabel", which, *option).code == 1
        assert cli("imports", "relabel", which, *option, "--why", "the contract says so").code == 0
    assert cli("imports", "relabel", which, "--consent", "no").code == 0
    assert cli("imports", "relabel", which, "--vendor", "nobody", "--why", "x").code == 1
    assert cli("imports", "relabel", which).code == 2
    one = records(tmp_path / ".freehold")[0]
    assert (one.app, one.vendor, one.consent, one.label) == ("shop", "own:acme", False, "internal")
    (row,) = cli("imports", "list", "--json").json
    assert (row["id"], row["calls"], row["vendor"]) == (which, 3, "own:acme")


def test_an_erased_import_is_gone_with_its_content_and_may_come_again(cli, tmp_path):
    which = imported(cli)
    Path("more.jsonl").write_bytes(jsonl(*(call(number) for number in range(2, 5))))
    cli("import", "more.jsonl", "--label", "public")
    assert cli("imports", "erase", which).code == 2, "it takes a reason"
    told = cli("imports", "erase", which, "--why", "wrong file", "--json")
    assert told.json == {"erased": 3}
    home = tmp_path / ".freehold"
    assert [one.label for one in records(home)] == ["public", "public"], "what another import brought stays"
    files = [one for one in (home / "bodies").rglob("*") if one.is_file() and one.name != "lock"]
    assert len(files) == query(tmp_path, "select count(*) from bodies")[0][0] == 2
    assert cli("imports", "erase", which, "--why", "again", "--json").json == {"erased": 0}
    assert cli("import", "log.jsonl", "--label", "public", "--json").json["new"] == 3
    assert [one["error"] for one in cli("imports", "list", "--json").json][-1] == "erased: again"
    for nobody in ("imp_" + "0" * 32, "nonsense"):
        assert "imports list" in cli("imports", "erase", nobody, "--why", "x").err


def test_an_import_is_not_erased_while_a_move_is_made_of_it(cli, tmp_path):
    which = imported(cli)
    home = tmp_path / ".freehold"
    engine = connect(url_of(home / "freehold.db"))
    with writing(engine) as connection:
        known.keep(connection, [Workflow(id="wf_a", name="tickets", made_at=1.0)])
        ids = [one.id for one in records(home)]
        store.assign(connection, [(one, "wf_a") for one in ids])
        move = begin("mv_1", 1.0, Rule(grader=Spec("label"), window_until=1.0), Plan(workflow="wf_a", incumbent="v"))
        moves.add(connection, move, "ann")
    told = cli("imports", "erase", which, "--why", "x")
    assert told.code == 1 and "mv_1" in told.err and "freehold moves rollback tickets" in told.err
    with writing(engine) as connection:
        moves.append(connection, move, Event(1, 2.0, "stage", "ann", {"to": "shadow"}))
    engine.dispose()
    assert cli("imports", "erase", which, "--why", "x").code == 0


def query(folder, text):
    engine = connect(url_of(folder / ".freehold" / "freehold.db"))
    with engine.connect() as connection:
        found = [tuple(one) for one in connection.exec_driver_sql(text)]
    engine.dispose()
    return found
