"""Azure's wire, from its reference: what it says before and beside the answer changes nothing of the answer."""

from __future__ import annotations

import json

from freehold.gateway.assemble import assemble
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Peek

CHAT, MESSAGES = dialect("openai_chat"), dialect("anthropic_messages")
SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
BEFORE = {
    "choices": [],
    "created": 0,
    "id": "",
    "model": "",
    "object": "",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
}
BASE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "gpt-4.1-2025-04-14"}


def chunk(delta: dict, reason: str | None = None, **more) -> dict:
    return {**BASE, "choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None, **more}]}


STREAM = (
    BEFORE,
    chunk({"role": "assistant", "content": "", "refusal": None}, content_filter_results={}),
    chunk({"content": "Hello"}, content_filter_results=SAFE),
    chunk({}, "stop", content_filter_results={}),
    {**BASE, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}},
)
WIRE = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in STREAM) + b"data: [DONE]\n\n"


def test_a_stream_translated_has_the_answers_own_id_and_model():
    decoder = CHAT.stream_decoder()
    events = [*decoder.feed(WIRE), *decoder.end()]
    told = assemble(events)
    assert (told.id, told.model, told.created) == (BASE["id"], BASE["model"], BASE["created"])
    assert told.choices[0].parts[0].text == "Hello" and told.usage.output == 2
    said = MESSAGES.stream_encoder(Peek("r", stream=True)).feed(events).decode()
    assert said.count("event: message_start") == 1 and "Hello" in said and BASE["model"] in said


def test_a_stream_relayed_is_metered_and_stripped_of_the_usage_alone():
    meter, stripper = CHAT.stream_meter(), CHAT.stream_stripper()
    meter.feed(WIRE)
    usage, complete = meter.end()
    assert complete and (usage.input, usage.output) == (9, 2)
    left = stripper.feed(WIRE) + stripper.end()
    assert b"prompt_filter_results" in left and b"prompt_tokens" not in left and left.endswith(b"[DONE]\n\n")
