"""`freehold models licence` decides on files by freehold.toml, with no instance running."""

from __future__ import annotations

import pytest


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "download"
    made.mkdir()
    return made


def card(folder, front):
    (folder / "README.md").write_text(f"---\n{front}\n---\n")


def settings(tmp_path, text):
    (tmp_path / "freehold.toml").write_text(text)


def test_a_free_model_is_allowed(cli, folder):
    card(folder, "license: apache-2.0")
    told = cli("models", "licence", "./download")
    assert (told.code, told.out.splitlines()[0]) == (0, "[allow] download: Apache-2.0")


def test_what_is_not_said_goes_to_a_person_with_the_table_to_say_it_in(cli, folder, tmp_path):
    card(folder, "license: llama4")
    told = cli("models", "licence", "./download")
    assert told.code == 4
    assert "where is your seat? say it in [licensee]" in told.out
    settings(tmp_path, '[licensee]\ncountry = "US"\nmonthly_users = 10\ntrains_on_outputs = false\n')
    assert cli("models", "licence", "./download").code == 0
    settings(tmp_path, '[licensee]\ncountry = "FR"\nmonthly_users = 10\n')
    told = cli("models", "licence", "./download", "--json")
    assert (told.code, told.json["licence"]["verdict"]) == (4, "block")


def test_a_person_can_say_what_a_file_is(cli, folder):
    (folder / "weights.bin").write_bytes(b"x")
    assert cli("models", "licence", "./download").code == 4
    told = cli("models", "licence", "download/weights.bin", "--given", "MIT", "--json")
    assert (told.code, told.json["licence"]["expression"]) == (0, "MIT")


def test_an_escape_in_a_card_is_not_obeyed(cli, folder):
    card(folder, 'license: "\\e[31mmit"')
    assert "\x1b" not in cli("models", "licence", "./download").out


def test_every_licence_is_listed_as_it_would_come_out(cli, tmp_path):
    settings(tmp_path, '[models]\nrefused = ["research"]\n')
    rows = {one["id"]: one for one in cli("models", "licence", "--all", "--json").json}
    assert rows["mit"]["decided"]["verdict"] == "allow"
    assert rows["mrl"]["decided"]["verdict"] == "block"
    assert rows["llama3.1"]["source"] and rows["llama3.1"]["as_of"]


def test_what_is_not_there_is_told(cli):
    assert cli("models", "licence", "./nothing").code == 1
    assert cli("models", "licence").code == 1


def test_countries_are_two_letters(cli, tmp_path):
    settings(tmp_path, '[licensee]\ncountry = "Germany"\n')
    assert cli("config", "check").code == 1
