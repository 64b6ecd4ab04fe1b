"""The classifier's scorer: what it reads, how it answers, and which files it takes for a model."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadArtefact, MalformedJson
from freehold.grading.types import ToolCall
from freehold.serving.answer_shape import CallShape, Shape, render
from freehold.serving.linear import Description, Head, Linear, save, softmax, text_of
from freehold.serving.ngrams import Reading, ngrams

TEXTS = ("invoice refund charged twice", "password locked out login")


def model_of(**changes):
    """Two labels, each known by its words."""
    reading = Reading()
    hashes = np.unique(np.concatenate([ngrams(one, reading)[0] for one in TEXTS]))
    weights = np.stack([np.isin(hashes, ngrams(one, reading)[0]) * 8.0 for one in TEXTS], 1).astype(np.float16)
    description = Description(heads=(Head(("billing", "access")),), shapes=(Shape(text=(0,)),))
    tensors = {"hashes": hashes, "idf": np.ones(len(hashes), "f4"), "weights.0": weights, "bias.0": np.zeros(2, "f4")}
    return msgspec.structs.replace(description, **changes), tensors


def asked(text, **more):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()


def test_it_answers_with_the_likelier_label_and_says_how_sure_it_is():
    model = Linear(*model_of())
    sure = model.answer(asked("my password is locked"))
    torn = model.answer(asked("invoice password"))
    assert (sure.label, sure.text, sure.tool_calls) == ("access", "access", ())
    assert sure.confidence > torn.confidence >= 0.5
    assert model.answer(asked("zzz")).confidence == 0.0


@given(st.floats(0.05, 20), st.floats(0, 0.9))
def test_temperature_and_unseen_answers_change_the_confidence_and_never_the_label(temperature, unseen):
    plain = Linear(*model_of()).answer(asked("charged twice"))
    other = Linear(*model_of(heads=(Head(("billing", "access"), temperature),), unseen=unseen)).answer(
        asked("charged twice")
    )
    assert other.label == plain.label and 0 <= other.confidence <= 1 - unseen + 1e-9


def test_shapes_are_filled_byte_for_byte():
    shape = Shape(text=('{"a":\t', 1, ',\n "b": ', 0, "}"))
    description, tensors = model_of(heads=(Head(('"x\\n"', '"y"')), Head(("true", "null"))), shapes=(shape,))
    tensors |= {"weights.1": tensors["weights.0"], "bias.1": tensors["bias.0"]}
    answer = Linear(description, tensors).answer(asked("charged twice"))
    assert answer.text == '{"a":\ttrue,\n "b": "x\\n"}' and answer.label == '"x\\n" true'


def test_one_head_may_choose_among_whole_answers_of_different_form():
    shapes = (Shape(calls=(CallShape(("close",), ("{}",)), CallShape(("tell",), ('{ "x":1}',)))), Shape(text=("no",)))
    model = Linear(*model_of(heads=(Head(("close", "no")),), shapes=shapes))
    assert model.answer(asked("charged twice")).tool_calls == (ToolCall("close", "{}"), ToolCall("tell", '{ "x":1}'))
    assert model.answer(asked("locked out")).text == "no"


@pytest.mark.parametrize(
    ("view", "read"),
    [("last_user", "second\npart"), ("users", "first\nsecond\npart"), ("all", "be good\nfirst\nsecond\npart")],
)
def test_the_turns_that_are_read(view, read):
    messages = [
        {"role": "system", "content": "be good"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "text", "text": "part"}]},
        {"role": "assistant", "content": "so"},
    ]
    assert text_of(json.dumps({"messages": messages}).encode(), view) == read


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": 1}', b"\xff"])
def test_what_is_no_request_is_told(body):
    with pytest.raises(MalformedJson):
        Linear(*model_of()).answer(body)


def test_a_model_is_one_file_whose_bytes_follow_from_it(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name, *model_of(facts={"b": "1", "a": "2"}))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = Linear.load(tmp_path / "a")
    assert found.answer(asked("locked")) == Linear(*model_of()).answer(asked("locked"))


def wrong_order(description, tensors):
    return description, tensors | {"hashes": tensors["hashes"][::-1]}


def no_number(description, tensors):
    return description, tensors | {"bias.0": np.array([np.nan, 0], "f4")}


def too_few(description, tensors):
    return description, tensors | {"weights.0": tensors["weights.0"][:-1]}


def a_tensor_more(description, tensors):
    return description, tensors | {"weights.1": tensors["weights.0"]}


def change(**fields):
    return lambda description, tensors: (msgspec.structs.replace(description, **fields), tensors)


@pytest.mark.parametrize(
    "spoil",
    [
        wrong_order,
        no_number,
        too_few,
        a_tensor_more,
        change(scheme="ngrams-0"),
        change(format="other"),
        change(shapes=()),
        change(heads=()),
        change(shapes=(Shape(text=(3,)),)),
        change(shapes=(Shape(text=("a",)),) * 3),
        change(heads=(Head(("a", "b"), 0.0),)),
        change(unseen=1.0),
    ],
)
def test_what_does_not_fit_together_is_no_model(spoil, tmp_path):
    with pytest.raises(BadArtefact):
        save(tmp_path / "x", *spoil(*model_of()))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, cut):
    save(tmp_path / "x", *model_of())
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:cut])
    with pytest.raises(BadArtefact):
        Linear.load(tmp_path / "x")


@given(st.text(max_size=300))
def test_ngrams_of_any_text_are_in_order_counted_and_blind_to_case_and_digits(text):
    hashes, counts = ngrams(text, Reading())
    assert hashes.dtype == np.uint32 and len(hashes) == len(counts)
    assert np.all(hashes[1:] > hashes[:-1]) and np.all(counts >= 1)
    again, same = ngrams(text.casefold(), Reading())
    assert (hashes == again).all() and (counts == same).all()


def test_ngrams_are_the_same_on_every_machine():
    _, counts = ngrams("Pay 12 pay", Reading(words=2, shortest=3, longest=3))
    assert counts.sum() == 3 + 2 + 10
    assert [int(one) for one in ngrams("ab", Reading(words=1, shortest=9, longest=8))[0]] == [0x9E83486D]
    assert (ngrams("a1", Reading())[0] == ngrams("a7", Reading())[0]).all()


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=8))
def test_softmax_is_a_distribution_in_the_order_of_scores(scores):
    odds = softmax(np.array(scores, np.float32))
    assert odds.sum() == pytest.approx(1, abs=1e-5) and odds[int(np.argmax(np.array(scores, "f4")))] == odds.max()


def test_a_shape_without_slots_is_constant():
    assert render(Shape(text=("yes",)), []) == ("yes", ())
