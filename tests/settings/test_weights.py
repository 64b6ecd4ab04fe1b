"""Where the embedded models' weights are looked for."""

from __future__ import annotations

import os

from freehold.serving.catalogue import MODELS
from freehold.settings.load import parse
from freehold.settings.weights import CACHE_HOME, chosen, folders
from tests.house.sources import ROOT


def filled(folder):
    folder.mkdir()
    for model in MODELS:
        (folder / model.file).touch()
        os.truncate(folder / model.file, model.size)  # a hole of the right size: nobody reads it here
    return folder


def test_what_the_file_names_is_the_only_place_and_relative_to_the_file(tmp_path):
    loaded = parse(b'[serving]\nweights = "weights"\n', tmp_path / "freehold.toml", {})
    assert folders(loaded.settings.serving.weights) == (tmp_path / "weights",)


def test_without_a_name_it_is_the_checkout_then_the_users_cache_wherever_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_HOME, str(tmp_path / "cache"))
    loaded = parse(b"", None, {})
    assert folders(loaded.settings.serving.weights) == (
        ROOT / ".cache" / "models",
        tmp_path / "cache" / "freehold" / "models",
    )


def test_the_first_folder_that_holds_all_of_them_counts(tmp_path):
    half = filled(tmp_path / "half")
    (half / MODELS[0].file).unlink()
    whole = filled(tmp_path / "whole")
    assert chosen((tmp_path / "none", half, whole)) == whole


def test_where_none_does_it_is_the_one_that_a_fetch_would_fill(tmp_path):
    assert chosen((tmp_path / "first", tmp_path / "second")) == tmp_path / "first"
