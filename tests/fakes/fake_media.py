"""A fake of what OpenAI and its kin serve beside chat: pictures, sound, moderations, text completions and rankings."""

from __future__ import annotations

import email.parser
import email.policy
import json
from typing import Any

from tests.fakes.fake_openai import CREATED, FakeOpenAi, error_body
from tests.fakes.wire import Recorded, Streamed, Whole

SOUND = tuple(bytes([number]) * 4096 for number in range(8))
TEXT = "The sea is wide and grey."
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
SPENT = {"input_tokens": 11, "output_tokens": 6, "total_tokens": 17}
DONE = b"data: [DONE]\n\n"


class FakeMedia(FakeOpenAi):
    """The fake; its base path is `/v1`."""

    def answer(self, request: Recorded) -> Whole | Streamed:
        if request.path == "/v1/images/edits":
            return pictures({name: value.decode() for name, value in fields(request).items() if name != "image"})
        if request.path.startswith("/v1/audio/t"):
            return heard(fields(request))
        body = request.json
        match request.path:
            case "/v1/images/generations":
                return pictures(body)
            case "/v1/audio/speech":
                return spoken(body)
            case "/v1/moderations":
                result = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}}
                return told({"id": "modr-1", "model": body["model"], "results": [result]})
            case "/v1/completions":
                return gone_on(body)
            case "/v1/rerank":
                ranked = [{"index": at, "relevance_score": 1 / (at + 1)} for at in range(len(body["documents"]))]
                return told({"id": "r", "results": ranked, "meta": {"billed_units": {"search_units": 1}}})
        return Whole(error_body(404, f"Invalid URL ({request.method} {request.path})"), 404)


def fields(request: Recorded) -> dict[str, Any]:
    """The fields of a form, by the standard library's parser."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in parsed.iter_parts()
    }


def told(value: Any) -> Whole:
    return Whole(json.dumps(value).encode())


def event(kind: str, **more: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + json.dumps({"type": kind, **more}).encode() + b"\n\n"


def pictures(body: dict[str, Any]) -> Whole | Streamed:
    if body.get("stream"):
        first = event("image_generation.partial_image", b64_json=PICTURE, partial_image_index=0, created_at=CREATED)
        last = event("image_generation.completed", b64_json=PICTURE, usage=SPENT, created_at=CREATED)
        return Streamed((first,), (last,), error_body(500, "broken"))
    return told({"created": CREATED, "data": [{"b64_json": PICTURE}] * int(body.get("n") or 1), "usage": SPENT})


def spoken(body: dict[str, Any]) -> Streamed:
    if body.get("stream_format") == "sse":
        first, last = event("speech.audio.delta", audio="AAAA"), event("speech.audio.done", usage=SPENT)
        return Streamed((first,), (last,), b"")
    return Streamed(SOUND, (), b"", kind="audio/mpeg")


def heard(form: dict[str, Any]) -> Whole | Streamed:
    kind = form.get("response_format", b"json").decode()
    if form.get("stream") == b"true":
        events = tuple(event("transcript.text.delta", delta=one) for one in TEXT.split(" "))
        return Streamed(events, (event("transcript.text.done", text=TEXT, usage={"type": "tokens", **SPENT}),), b"")
    if kind == "text":
        return Streamed((TEXT.encode(),), (b"\n",), b"", kind="text/plain; charset=utf-8")
    if kind == "verbose_json":
        return told({"task": "transcribe", "language": "english", "duration": 2.5, "text": TEXT, "segments": []})
    return told({"text": TEXT, "usage": {"type": "duration", "seconds": 3}})


def gone_on(body: dict[str, Any]) -> Whole | Streamed:
    base = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": body["model"]}
    counts = {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}
    words = TEXT.split(" ")
    ends: list[str | None] = [*([None] * (len(words) - 1)), "stop"]
    choices = [
        {"text": f" {word}", "index": 0, "logprobs": None, "finish_reason": end}
        for word, end in zip(words, ends, strict=True)
    ]
    if not body.get("stream"):
        return told({**base, "choices": [{**choices[-1], "text": " " + TEXT}], "usage": counts})
    made = [{**base, "choices": [one]} for one in choices]
    if (body.get("stream_options") or {}).get("include_usage"):
        made.append({**base, "choices": [], "usage": counts})
    events = tuple(b"data: " + json.dumps(one).encode() + b"\n\n" for one in made)
    return Streamed(events, (DONE,), b"data: " + error_body(500, "broken") + b"\n\n")
