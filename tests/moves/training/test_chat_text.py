"""What is trained on is token for token what the engine makes of the same chat request."""

from __future__ import annotations

import json

import pytest

from freehold.gateway.messages import Answer as Neutral
from freehold.gateway.messages import Choice
from freehold.gateway.messages import Text as NeutralText
from freehold.gateway.providers.tool_answers import ToolAnswers
from freehold.grading.types import Answer, ToolCall
from freehold.moves.training.chat_text import END, Example, answer_of, common_prefix, example_of, messages_of
from freehold.moves.training.job import Lesson

TOOL = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]},
    },
}
REQUESTS = {
    "system": [
        {"role": "system", "content": "Label it."},
        {"role": "user", "content": "Hi  there\n é 漢字 🎉 12345 \t"},
    ],
    "no system": [{"role": "user", "content": " spaces around "}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}],
    "developer": [{"role": "developer", "content": "Be short."}, {"role": "user", "content": "q"}],
    "turns": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "<|im_end|> in the text"},
    ],
}


@pytest.fixture(scope="module")
def tokenizer(weights, tmp_path_factory):
    transformers = pytest.importorskip("transformers", reason="the extra `train` is not installed")
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "base.gguf").symlink_to(weights / "smollm2-135m-instruct.gguf")
    return transformers.AutoTokenizer.from_pretrained(folder, gguf_file="base.gguf")


@pytest.mark.parametrize("messages", REQUESTS.values(), ids=REQUESTS)
def test_a_lesson_has_the_engines_tokens(tokenizer, chat_engine, messages):
    lesson = Lesson("1", 0.0, json.dumps({"model": "m", "messages": messages}), Answer("the answer"))

    def template(given):
        return tokenizer.apply_chat_template(given, add_generation_prompt=True, tokenize=False)

    def encode(text):
        return tokenizer(text, add_special_tokens=False).input_ids

    made = example_of(lesson, template, encode)
    _, body = chat_engine.post("/apply-template", {"messages": messages})
    prompt = json.loads(body)["prompt"]
    _, body = chat_engine.post("/tokenize", {"content": prompt + "the answer" + END, "parse_special": True})
    assert list(made.ids) == json.loads(body)["tokens"]
    _, body = chat_engine.post("/tokenize", {"content": prompt, "parse_special": True})
    assert made.start == len(json.loads(body)["tokens"])


def test_tools_stand_in_the_prompt_as_the_gateway_puts_them_there():
    request = {"model": "m", "messages": [{"role": "user", "content": "find it"}], "tools": [TOOL]}
    messages, as_tools = messages_of(json.dumps(request).encode())
    assert as_tools and messages[0]["role"] == "system" and "- find: Finds" in messages[0]["content"]
    assert messages[1] == {"role": "user", "content": "find it"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(tool_calls=(ToolCall("find", '{"what":"a \\"b\\""}'),)),
        Answer(tool_calls=(ToolCall("find", "{}"), ToolCall("find", '{"what": "x"}'))),
        Answer('plain "text"\nof two lines'),
    ],
)
def test_what_is_learned_comes_out_of_the_gateway_as_the_answer_it_was(answer):
    text = answer_of(answer, as_tools=True)
    neutral = Neutral(id="1", model="m", choices=(Choice(parts=(NeutralText(text),), stop="end"),))
    parts = ToolAnswers(plain=True).answer(neutral).choices[0].parts
    calls = [(one.name, json.loads(one.arguments)) for one in parts if hasattr(one, "arguments")]
    assert calls == [(one.name, json.loads(one.arguments)) for one in answer.tool_calls]
    assert "".join(one.text for one in parts if hasattr(one, "text")) == answer.text


def test_the_shared_beginning_leaves_each_prompt_a_token_of_its_own():
    assert common_prefix([Example((1, 2, 3, 4, 9), 4), Example((1, 2, 5, 6, 9), 4)]) == 2
    assert common_prefix([Example((1, 2, 3, 9), 3), Example((1, 2, 3, 8), 3)]) == 2
    assert common_prefix([Example((7, 9), 1), Example((8, 9), 1)]) == 0
