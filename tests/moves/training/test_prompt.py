"""The recipe `prompt`: examples that stand for all lessons, within a bound, the same every time."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadArtefact
from freehold.gateway.dialects.openai_chat import OpenAiChat
from freehold.gateway.dialects.openai_chat_decode import request_of
from freehold.gateway.few_shot import parse, with_examples
from freehold.gateway.messages import Text
from freehold.gateway.providers.llama_cpp import LlamaCppDriver
from freehold.moves.training.chat_text import TARGET
from freehold.moves.training.child import run_job
from freehold.moves.training.errors import BadOption, TooFewLessons
from freehold.moves.training.prompt import FILE, choose, run
from tests.moves.training.lessons import WORDS, folder_of, made


def test_every_answer_is_shown_before_any_is_shown_twice(tmp_path):
    folder = folder_of(tmp_path / "job", made(200), "prompt", options={"examples": 4})
    result = run_job(folder, run)
    shown = parse((folder / "out" / FILE).read_bytes())
    assert {one.answer.text for one in shown.shots} == set(WORDS)
    assert result.metrics["examples"] == 4 and 0 < result.metrics["covered"] <= 1


def test_the_bound_on_tokens_holds_and_the_choice_repeats(tmp_path):
    options = {"examples": 50, "most_tokens": 120}
    first = run_job(folder_of(tmp_path / "a", made(100), "prompt", options=options), run)
    second = run_job(folder_of(tmp_path / "b", made(100), "prompt", options=options), run)
    assert first.files == second.files
    assert 0 < first.metrics["tokens"] <= 120 and first.metrics["examples"] < 50


def test_what_fits_in_no_way_is_refused(tmp_path):
    with pytest.raises(TooFewLessons):
        run_job(folder_of(tmp_path / "job", made(5), "prompt", options={"most_tokens": 1}), run)
    with pytest.raises(BadOption):
        run_job(folder_of(tmp_path / "other", made(5), "prompt", options={"shots": 1}), run)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=30)
def test_greedy_reaches_at_least_its_promised_share_of_the_best(seed, count):
    random = np.random.default_rng(seed)
    likeness = random.random((7, 7)).astype(np.float32)
    likeness = np.maximum(likeness, likeness.T)
    chosen, covered = choose(likeness, [1] * 7, count, 100)
    assert len(set(chosen)) == len(chosen) <= count and covered == sorted(covered)
    from itertools import combinations

    best = max(likeness[list(some)].max(axis=0).sum() for some in combinations(range(7), count))
    assert likeness[chosen].max(axis=0).sum() >= (1 - 1 / np.e) * best - 1e-4


def test_examples_stand_after_the_system_and_before_what_is_asked(tmp_path):
    folder = folder_of(tmp_path / "job", made(60, "tool"), "prompt", options={"examples": 2})
    run_job(folder, run)
    shots = parse((folder / "out" / FILE).read_bytes()).shots
    request = request_of(made(1)[0].request.encode())
    extended = with_examples(request, shots)
    assert [turn.role for turn in extended.turns] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert extended.turns[0] == request.turns[0] and extended.turns[-1] == request.turns[-1]
    assert extended.turns[1].parts == (Text(shots[0].asked),)
    assert extended.turns[2].parts[0].arguments == shots[0].answer.tool_calls[0].arguments


@pytest.mark.parametrize("data", [b"", b"{}", b'{"format": "other", "workflow": "w", "shots": [], "tokens": 0}'])
def test_what_holds_no_examples_is_refused(data):
    with pytest.raises(BadArtefact):
        parse(data)


def test_the_gateways_driver_puts_them_before_what_is_asked_and_tools_still_come_back_as_calls(tmp_path):
    folder = folder_of(tmp_path / "job", made(60, "tool"), "prompt", options={"examples": 2})
    run_job(folder, run)
    target = msgspec.structs.replace(TARGET, examples=(folder / "out" / FILE).read_text())
    driver = LlamaCppDriver()
    body = json.loads(made(1)[0].request)
    peek = OpenAiChat().peek(json.dumps(body).encode())
    assert driver.must_adapt(target, peek) and not driver.must_adapt(TARGET, peek)
    plain, restore = driver.adapt(target, request_of(json.dumps(body).encode()))
    assert restore is None and len(plain.turns) == 6
    assert all(isinstance(part, Text) for turn in plain.turns for part in turn.parts)
    assert '"tool_calls": [{"name": "route"' in plain.turns[2].parts[0].text
    tool = {"type": "function", "function": {"name": "route", "parameters": {"type": "object", "properties": {}}}}
    tools, restore = driver.adapt(target, request_of(json.dumps({**body, "tools": [tool]}).encode()))
    assert restore is not None and len(tools.turns) == 6 and "- route" in tools.turns[0].parts[-1].text
