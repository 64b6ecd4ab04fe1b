"""The recipe `classifier`: it learns, answers in the incumbent's very form, knows what it does not know, and resumes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, Conflict
from freehold.grading.types import Answer
from freehold.moves.training.child import run_job
from freehold.moves.training.classifier import FILE, options_of, run
from freehold.moves.training.errors import BadOption, NothingToLearn, TooFewLessons
from freehold.moves.training.job import Base, Lesson, Workshop, read_progress, read_result
from freehold.registry.artefacts import Store
from freehold.registry.trained import OWN_LICENCE, Product, admit_trained
from freehold.serving.catalogue import MODELS, admit
from freehold.serving.engines.classifier import opened
from freehold.serving.linear import Linear
from tests.moves.training.lessons import FORMS, folder_of, made


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


NOUNS = {
    "animal": "dog cat horse cow sheep goat pig rabbit mouse lion tiger bear wolf fox deer monkey elephant zebra giraffe"
    " camel donkey squirrel whale dolphin shark salmon eagle sparrow pigeon owl snake lizard frog spider ant bee",
    "vehicle": "car truck bus train bicycle motorcycle airplane helicopter ship boat ferry tram subway van taxi tractor"
    " ambulance scooter yacht submarine rocket canoe sailboat jeep limousine wagon trailer locomotive glider bulldozer",
    "food": "bread cheese butter apple banana orange grape potato tomato carrot onion rice pasta soup cake chocolate"
    " sausage bacon yogurt honey jam pizza sandwich salad pancake lemon cherry strawberry peach mushroom garlic",
}


def in_other_words(form="text"):
    """Lessons of which the later ones use nouns that the older did not: what they mean tells, not how they are spelt."""
    nouns = [(noun, label) for label, some in NOUNS.items() for noun in some.split()]
    random.Random(1).shuffle(nouns)
    cut = len(nouns) * 2 // 3
    said = [nouns[number % cut] for number in range(240)] + nouns[cut:] * 2
    return [
        Lesson(
            f"{number:05}",
            float(number),
            json.dumps({"messages": [{"role": "user", "content": f"we have a {noun} here, number {number}"}]}),
            FORMS[form](label, urgent=False),
            "synthetic",
        )
        for number, (noun, label) in enumerate(said)
    ]


@pytest.fixture(scope="module")
def base(weights):
    model = next(one for one in MODELS if one.kind == "embedding")
    return Base(model.name, str(weights / model.file), model.sha256)


@pytest.fixture(scope="module")
def doubtful(base, tmp_path_factory):
    """The folder of a job in which an encoder helps."""
    folder = folder_of(tmp_path_factory.mktemp("doubtful") / "job", in_other_words(), base=base)
    run_job(folder, run)
    return folder


def test_where_n_grams_leave_doubt_an_encoder_is_asked_and_it_cannot_be_left_out(doubtful, tmp_path, base):
    folder, result = doubtful, read_result(doubtful)
    assert result.uses_base and result.metrics["encoder"] == base.name
    assert result.metrics["accuracy"] > result.metrics["ngrams_alone"] + 0.1
    with pytest.raises(BadArtefact, match="encoder"):
        Linear.load(folder / "out" / FILE)
    model = Linear.load(folder / "out" / FILE, Path(base.file))
    for noun, label in (("kangaroo", "animal"), ("hovercraft", "vehicle")):
        asked = json.dumps({"messages": [{"role": "user", "content": f"we have a {noun} here, number 3"}]}).encode()
        assert model.doubts(asked)
        answer = model.answer(asked)
        assert answer.text == label
        assert 0.3 < answer.confidence < 1
    again = run_job(folder_of(tmp_path / "again", in_other_words(), base=base), run)
    assert again.files == result.files


def test_its_engine_opens_the_encoder_it_was_trained_with_and_no_other(doubtful, weights, tmp_path):
    identity = Identity.load(tmp_path / "identity.key")
    store = Store(tmp_path / "store", identity)
    admit(weights, store, time.time)
    result = read_result(doubtful)
    made = admit_trained(store, Product(name="tickets-1", kind="classifier", format="safetensors", recipe="classifier",
                                        files=(doubtful / "out" / FILE,), dataset_sha256=result.job.dataset,
                                        base=result.job.base.name), 0.0)  # fmt: skip
    assert made.licence == OWN_LICENCE, "nothing of the encoder is in it"
    encoder, file = opened(store, "tickets-1")
    asked = json.dumps({"messages": [{"role": "user", "content": "we have a kangaroo here, number 3"}]}).encode()
    assert Linear.load(file, encoder).answer(asked).text == "animal"
    with pytest.raises(Conflict, match="tickets-1"):
        store.remove(result.job.base.name)


def test_it_says_from_which_confidence_on_its_risk_is_proven(tmp_path):
    lessons = made(2000)
    flipped = [
        msgspec.structs.replace(one, answer=Answer("pin")) if i % 3 == 0 and "refund" in one.answer.text else one
        for i, one in enumerate(lessons)
    ]
    told = {one["bound"]: one for one in run_job(folder_of(tmp_path / "job", flipped), run).metrics["trusted"]}
    assert set(told) <= {0.01, 0.02, 0.03, 0.05, 0.1}
    assert 0.02 in told, "three labels of four are certain"
    assert 0.5 < told[0.02]["answers"] < 0.9
    assert told[0.02]["threshold"] > 0.5
    thresholds = [told[one]["threshold"] for one in sorted(told)]
    assert thresholds == sorted(thresholds, reverse=True), "who may err more may be less sure"


def test_an_encoder_is_not_asked_where_it_mends_nothing_or_is_not_wanted(tmp_path, base):
    easy = run_job(folder_of(tmp_path / "easy", made(200), base=base), run)
    assert not easy.uses_base
    alone = run_job(folder_of(tmp_path / "alone", made(200)), run)
    assert easy.files == alone.files, "the first opinion is the same whether there is a second or not"
    unwanted = folder_of(tmp_path / "unwanted", in_other_words(), base=base, options={"features": "ngrams"})
    assert not run_job(unwanted, run).uses_base
    wanted = folder_of(tmp_path / "wanted", made(200, "json"), base=base, options={"features": "both"})
    assert run_job(wanted, run).uses_base
    later = made(60, "json", seed=9)
    model = Linear.load(wanted / "out" / FILE, Path(base.file))
    assert sum(model.answer(one.request.encode()).text == one.answer.text for one in later) >= 57
    with pytest.raises(BadOption, match="encoder"):
        run_job(folder_of(tmp_path / "none", made(200), options={"features": "both"}), run)
