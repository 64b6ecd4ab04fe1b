"""The recipe `classifier`: it learns, answers in the incumbent's very form, knows what it does not know, and resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import msgspec
import pytest

from freehold.grading.types import Answer
from freehold.moves.training.child import run_job
from freehold.moves.training.classifier import FILE, options_of, run
from freehold.moves.training.errors import BadOption, NothingToLearn, TooFewLessons
from freehold.moves.training.job import Workshop, read_progress, read_result
from freehold.serving.linear import Linear
from tests.moves.training.lessons import folder_of, made


def trained(folder):
    result = run_job(folder, run)
    return result, Linear.load(folder / "out" / FILE)


@pytest.mark.parametrize("form", ["text", "json", "tool"])
def test_it_answers_later_calls_byte_for_byte_as_the_incumbent_would(tmp_path, form):
    lessons = made(300, form)
    result, model = trained(folder_of(tmp_path / "job", lessons))
    assert result.format == "safetensors" and result.metrics["accuracy"] > 0.95
    assert result.metrics["accuracy_low"] <= result.metrics["accuracy"] <= result.metrics["accuracy_high"]
    later = made(200, form, seed=9)
    answers = [model.answer(one.request.encode()) for one in later]
    right = [
        (a.text, a.tool_calls) == (one.answer.text, one.answer.tool_calls)
        for a, one in zip(answers, later, strict=True)
    ]
    assert sum(right) >= 190
    assert sum(one.confidence for one in answers) / len(answers) == pytest.approx(sum(right) / len(right), abs=0.1)


def test_the_same_job_makes_the_same_bytes(tmp_path):
    first, _ = trained(folder_of(tmp_path / "a", made(120)))
    second, _ = trained(folder_of(tmp_path / "b", made(120)))
    assert first.files == second.files


def test_what_it_never_saw_gets_no_confidence(tmp_path):
    _, model = trained(folder_of(tmp_path / "job", made(200)))

    def sure(text):
        return model.answer(json.dumps({"messages": [{"role": "user", "content": text}]}).encode()).confidence

    assert sure("where is the card") > 0.9
    assert sure("漢字 ЖЖЖЖЖЖ") == 0.0
    assert sure("") == 0.0


def test_answers_that_were_too_rare_to_learn_lower_every_confidence(tmp_path):
    lessons = made(200)
    odd = [
        msgspec.structs.replace(one, answer=Answer(f"rare {i}")) if i % 20 == 0 else one
        for i, one in enumerate(lessons)
    ]
    result, model = trained(folder_of(tmp_path / "job", odd))
    assert result.metrics["unseen"] == 0.05
    assert all(model.answer(one.request.encode()).confidence <= 0.95 for one in lessons)


@pytest.mark.parametrize(
    ("lessons", "error"),
    [
        ([], TooFewLessons),
        (made(10), TooFewLessons),
        ([msgspec.structs.replace(one, answer=Answer("same")) for one in made(50)], TooFewLessons),
        ([msgspec.structs.replace(one, request='{"messages":[]}') for one in made(50)], TooFewLessons),
        ([msgspec.structs.replace(one, answer=Answer(one.id)) for one in made(50)], NothingToLearn),
    ],
)
def test_what_cannot_be_learned_is_refused(tmp_path, lessons, error):
    with pytest.raises(error):
        run_job(folder_of(tmp_path / "job", lessons), run)
    assert read_result(tmp_path / "job") is None


@pytest.mark.parametrize("options", [{"what": 1}, {"held_out": 0.9}, {"penalties": []}, {"shortest": 9}, {"view": "x"}])
def test_options_that_make_no_sense_are_named(options):
    with pytest.raises(BadOption):
        options_of(options)


SLOW = {"penalties": [1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6], "iterations": 60}


def test_killed_in_the_middle_it_ends_in_the_same_bytes(tmp_path):
    lessons = made(600, "json")
    whole, _ = trained(folder_of(tmp_path / "whole", lessons, options=SLOW))
    folder = folder_of(tmp_path / "killed", lessons, options=SLOW)
    kills = 0
    for after in (2, 40):
        child = subprocess.Popen([sys.executable, "-m", "freehold.moves.training.classifier", "--job", str(folder)])
        deadline = time.monotonic() + 60
        while len(read_progress(folder)) < after and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.wait()
    assert kills
    done, _ = trained(folder)
    assert done.files == whole.files
    steps = [one.step for one in read_progress(folder)]
    assert steps == list(range(1, len(steps) + 1))
    assert [one.loss for one in read_progress(folder)] == [one.loss for one in read_progress(tmp_path / "whole")]


def test_a_checkpoint_is_taken_up_and_not_trained_again(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "job", made(120))
    saved = Workshop.save

    def dies(self, state, step):
        saved(self, state, step)
        raise KeyboardInterrupt

    monkeypatch.setattr(Workshop, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        run_job(folder, run)
    before = read_progress(folder)
    monkeypatch.undo()
    run_job(folder, run)
    assert before and read_progress(folder)[: len(before)] == before
