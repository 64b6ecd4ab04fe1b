"""What a recipe says is wrong comes back to whoever started it, as the error it was."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import pytest

from freehold.core.errors import Unavailable
from freehold.jobs.pool import InProcess
from freehold.moves.training import classifier
from freehold.moves.training.child import main
from freehold.moves.training.errors import TooFewLessons
from freehold.moves.training.job import read_error
from freehold.moves.tuning import train
from tests.moves.training.lessons import folder_of, made


def test_a_recipe_that_cannot_learn_says_so_in_its_own_words(tmp_path):
    folder = folder_of(tmp_path / "job", made(3))
    beats = []
    with pytest.raises(TooFewLessons, match="too few") as told:
        train(folder, "classifier", beats.append)
    assert told.value.hint == TooFewLessons.hint_text
    assert beats and beats[0]["phase"] == "training"


def test_an_error_is_forgotten_once_the_recipe_runs_again(tmp_path):
    folder = folder_of(tmp_path / "job", made(3))
    assert main(classifier.run, None, ["--job", str(folder)]) == 1
    assert isinstance(read_error(folder), TooFewLessons)

    def works(shop):
        assert read_error(folder) is None
        shop.write("a", lambda path: path.write_bytes(b"1"))
        return shop.finish("json", ["a"], {})

    assert main(works, None, ["--job", str(folder)]) == 0


def test_one_that_dies_without_a_word_is_told_with_its_log(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "job", made(3))
    (folder / "job.json").write_bytes(b"{")
    with pytest.raises(Exception, match=r"job\.json cannot be read"):
        train(folder, "classifier", lambda _progress: None)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (folder / "error.json").unlink()
    with pytest.raises(Unavailable, match="ended without a result"):
        train(folder, "classifier", lambda _progress: None, places=lambda: nullcontext((InProcess(), False)))
