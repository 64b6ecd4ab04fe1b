"""What commands print: nothing that came from elsewhere is obeyed by a terminal."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from freehold.cli import annotations, moves, workflows
from freehold.cli.output import cell, emit_json, fields, safe, table
from freehold.cli.place import Place

EVIL = "a\x1b[2J\x1b]0;pwned\x07\x9b31m\u202eb\rc\ud800"
SEEN = "a\\u001b[2J\\u001b]0;pwned\\u0007\\u009b31m\\u202eb\\u000dc\\ud800"


class Fake:
    """A client that gives the same answer to whatever is asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def get(self, path, **_query):
        self.asked.append(path)
        return self.answer

    def post(self, path, _body=None):
        return self.get(path)

    def lines(self, path):
        self.asked.append(path)
        return [b"<html>"]


@pytest.fixture
def told(monkeypatch):
    """Run a command against an answer; what it printed, with the colours it was given."""

    def run(command, *arguments, answer):
        client = Fake(answer)
        monkeypatch.setattr(Place, "client", lambda _self: client)
        found = CliRunner().invoke(command, list(arguments), obj=Place(None, None), color=True)
        return found, client

    return run


@given(st.text())
def test_nothing_of_any_text_is_obeyed(text):
    shown = safe(text)
    assert not any(ord(one) < 32 and one not in "\n\t" for one in shown)
    assert not set(shown) & {chr(one) for one in (*range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F))}
    assert safe(shown) == shown


def test_own_colours_stay_and_hide_nothing():
    assert cell(click.style("mature", fg="green")) == "\x1b[32mmature\x1b[0m"
    assert cell(click.style("shadow", fg=None)) == "shadow\x1b[0m"
    assert safe("\x1b[32ma\x9bb\x1b[0m") == "\x1b[32ma\\u009bb\x1b[0m"
    assert "\x1b" not in safe("\x1b[32ma\x1b[0m and on")


def test_tables_fields_and_json_show_escapes(capsys):
    table([{"name": EVIL, "many": [EVIL]}], (("name", "name"), ("many", "many")))
    fields([(EVIL, EVIL)])
    assert capsys.readouterr().out.count(SEEN) == 4
    emit_json({"name": EVIL})
    said = capsys.readouterr().out
    assert not set(said) & {"\x9b", "\u202e"} and json.loads(said) == {"name": EVIL}


def test_samples_and_judgements_are_safe(told):
    one = {"id": "rec_1", "at": 1e9, "model": EVIL, "system": EVIL, "turns": [["user", EVIL]], "answer": EVIL}
    found, _ = told(workflows.workflows, "samples", "w", answer=[{**one, "tool_calls": [[EVIL, EVIL]]}])
    assert found.exit_code == 0 and "\x1b" not in found.output and found.output.count("pwned") == 6
    row = {"record": "rec_1", "kind": "score", "score": 1, "target": EVIL, "who": EVIL, "at": 1e9}
    found, _ = told(annotations.annotations, "list", answer=[row])
    assert found.output.count(SEEN) == 2 and "\x1b[2J" not in found.output


@pytest.mark.parametrize(("new", "known", "refused", "code"), [(0, 0, 2, 1), (1, 0, 2, 0), (0, 1, 2, 0), (0, 0, 0, 0)])
def test_judgements_of_which_none_was_taken_are_a_failure(told, tmp_path, new, known, refused, code):
    file = tmp_path / "lines.jsonl"
    file.write_text("{}\n")
    rejected = [{"line": 1, "why": "no"}] if refused else []
    answer = {"read": 2, "new": new, "known": known, "refused": refused, "rejected": rejected}
    for more in ((), ("--json",)):
        assert told(annotations.annotations, "import", str(file), *more, answer=answer)[0].exit_code == code


def test_a_judgement_that_no_request_holds_is_told_with_its_number_and_the_others_go_on(told, tmp_path):
    file = tmp_path / "lines.jsonl"
    long = annotations.LINE_BYTES + 1
    file.write_bytes(b"{}\n" + b"x" * long + b"\n" + b"{}\n" + b"y" * long)
    answer = {"read": 2, "new": 2, "known": 0, "refused": 0, "rejected": []}
    found, _ = told(annotations.annotations, "import", str(file), "--json", answer=answer)
    said = json.loads(found.output)
    assert [one["line"] for one in said["rejected"]] == [2, 4]
    assert (said["new"], said["refused"], found.exit_code) == (2, 2, 0)


def test_the_help_of_judgements_shows_no_markup(told):
    found, _ = told(annotations.annotations, "import", "--help", answer=None)
    assert "\\b" not in found.output and '"score": 0.5' in found.output


def test_a_page_never_takes_the_place_of_its_dossier(told, tmp_path):
    for name in ("x.html", "x.HTML"):
        found, client = told(moves.moves, "dossier", "w", "--html", "--out", str(tmp_path / name), answer={"a": 1})
        assert found.exit_code == 2 and client.asked == [] and list(tmp_path.iterdir()) == []
    found, _ = told(moves.moves, "dossier", "w", "--html", "--out", str(tmp_path / "x.json"), answer={"a": 1})
    assert found.exit_code == 0 and json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
    assert (tmp_path / "x.html").read_text() == "<html>"


def test_only_the_latest_weeks_are_shown():
    weeks = [{"likeness": 1.0}] * 3000
    assert len(workflows._weeks(weeks)) == 27
    assert workflows._weeks(weeks[:3]) == "███"
