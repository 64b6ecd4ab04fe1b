"""The embedded engine goes on with a text as the dialect says: whole, as a stream, and counted the same."""

from __future__ import annotations

import json

from freehold.gateway.assemble import assemble
from freehold.gateway.dialects.registry import dialect

ONE = dialect("openai_completions")
ASK = {"model": "m", "prompt": "One, two, three,", "max_tokens": 8, "temperature": 0, "seed": 1}


def test_whole_and_streamed_say_the_same(chat_engine):
    assert ONE.name in chat_engine.target.dialects
    status, body = chat_engine.post("/v1/completions", ASK)
    whole = ONE.decode_answer(body)
    assert status == 200 and whole.choices[0].parts[0].text and whole.usage == ONE.usage(body)
    streamed = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    body = chat_engine.post("/v1/completions", streamed)[1]
    decoder, meter = ONE.stream_decoder(), ONE.stream_meter()
    told = assemble([*decoder.feed(body), *decoder.end()])
    meter.feed(body)
    assert told.choices[0].parts == whole.choices[0].parts and told.choices[0].stop == whole.choices[0].stop
    assert meter.end() == (told.usage, True)
    assert (told.usage.input, told.usage.output) == (whole.usage.input, whole.usage.output)


def test_several_prompts_are_answered_in_their_order(chat_engine):
    body = chat_engine.post("/v1/completions", {**ASK, "prompt": ["One, two,", "Red, green,"]})[1]
    assert [one["index"] for one in json.loads(body)["choices"]] == [0, 1]
    assert ONE.peek(json.dumps({**ASK, "prompt": ["a", "b"]}).encode()).choices == 2
