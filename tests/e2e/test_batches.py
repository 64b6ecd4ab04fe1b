"""Files and batches from end to end, by OpenAI's SDK: a whole instance, its gateway, the desk and the runner."""

from __future__ import annotations

import json
import os
import signal

import openai
import pytest

from tests.e2e.instance import until
from tests.e2e.sdks import openai_client

CONFIG = """\
[batches]
workers = 3
[routes.gpt]
targets = ["gpt"]
[routes.claude]
targets = ["claude"]
[routes.other]
targets = ["gpt"]
[routes.watched]
targets = ["gpt"]
guard = "strict"
[guard.strict]
rules = [{ detector = "pii", action = "redact" }]
"""


def line(number, model="gpt", **more):
    body = {"model": model, "messages": [{"role": "user", "content": f"line {number}"}], "max_tokens": 16, **more}
    told = {"custom_id": f"c{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(told).encode()


def upload(client, lines, **more):
    return client.files.create(file=("in.jsonl", b"\n".join(lines)), purpose="batch", **more)


def start(client, lines, endpoint="/v1/chat/completions", **more):
    file = upload(client, lines)
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def ended(client, batch):
    def state():
        found = client.batches.retrieve(batch.id)
        return found if found.status in ("completed", "failed", "expired", "cancelled") else None

    return until(state, f"{batch.id} ended")


def lines_of(client, file):
    return [json.loads(one) for one in client.files.content(file).read().splitlines()]


def test_a_file_is_uploaded_listed_read_and_deleted(instance):
    with openai_client(instance) as client:
        made = upload(client, [line(1)], expires_after={"anchor": "created_at", "seconds": 7200})
        assert (made.purpose, made.filename, made.bytes) == ("batch", "in.jsonl", len(line(1)))
        assert made.expires_at == made.created_at + 7200
        assert client.files.retrieve(made.id) == made
        assert client.files.content(made.id).read() == line(1)
        assert made.id in [one.id for one in client.files.list(purpose="batch", limit=1)]
        assert client.files.delete(made.id).deleted
        for ask in (client.files.retrieve, client.files.content, client.files.delete):
            with pytest.raises(openai.NotFoundError) as error:
                ask(made.id)
            assert error.value.code == "FH-NOT-001"


def test_a_batch_is_answered_line_by_line(instance):
    with openai_client(instance) as client:
        lines = [line(1), line(2, "claude"), line(3, "nothing-like-it"), b"", line(4)]
        done = ended(client, start(client, lines, metadata={"why": "test"}))
        assert done.status == "completed"
        assert done.metadata == {"why": "test"}
        assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (4, 3, 1)
        good, bad = lines_of(client, done.output_file_id), lines_of(client, done.error_file_id)
        assert [one["custom_id"] for one in good] == ["c1", "c2", "c4"]
        assert all(one["response"]["body"]["choices"][0]["message"]["content"] for one in good)
        assert [one["custom_id"] for one in bad] == ["c3"]
        assert bad[0]["response"]["status_code"] == 404
        assert bad[0]["response"]["body"]["error"]["code"] == "FH-NOT-002"
        assert done.usage.total_tokens == sum(one["response"]["body"]["usage"]["total_tokens"] for one in good)
        assert client.files.retrieve(done.output_file_id).purpose == "batch_output"
        assert done.id in [one.id for one in client.batches.list(limit=1)]
        call = instance.call(good[0]["response"]["request_id"])["call"]
        with openai_client(instance, instance.make_key("stranger")) as other:
            assert done.id not in [one.id for one in other.batches.list()]
            assert done.output_file_id not in [one.id for one in other.files.list()]
    assert call["key_id"] != "key_freehold"
    assert call["route"] == "gpt"


def test_what_is_wrong_with_a_file_is_told_by_line(instance):
    with openai_client(instance) as client:
        done = ended(client, start(client, [line(1), b"{", line(1), line(2, stream=True)]))
        assert done.status == "failed"
        assert [(one.line, one.code) for one in done.errors.data] == [
            (2, "invalid_json_line"),
            (3, "duplicate_custom_id"),
            (4, "invalid_request"),
        ]


def test_lines_have_the_rights_of_their_key_and_no_more(instance, fakes):
    secret = instance.make_key("narrow", routes=["gpt"], label="internal")
    with openai_client(instance, secret) as client:
        lines = [line(1), line(2, "other"), line(3, "target:gpt"), line(4)]
        done = ended(client, start(client, lines))
        assert [one["custom_id"] for one in lines_of(client, done.output_file_id)] == ["c1", "c4"]
        codes = {
            one["custom_id"]: one["response"]["body"]["error"]["code"] for one in lines_of(client, done.error_file_id)
        }
        assert codes["c2"] == "FH-POL-003"
        assert set(codes) == {"c2", "c3"}


def test_a_stated_label_holds_for_every_line(instance, fakes):
    with openai_client(instance, default_headers={"x-freehold-label": "restricted"}) as secret_client:
        file = upload(secret_client, [line(1)])
    with openai_client(instance) as client:
        made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        done = ended(client, made)
        (bad,) = lines_of(client, done.error_file_id)
    assert bad["response"]["body"]["error"]["code"] == "FH-POL-002"
    assert not fakes.openai.requests


def test_who_has_no_key_here_gets_nothing(instance):
    for path in ("/v1/files", "/v1/batches"):
        assert instance.ask(path, None, key="fh-nobody").status == 401
    refused = instance.ask("/v1/files", {"purpose": "batch"})
    assert (refused.status, refused.json["error"]["code"]) == (415, "FH-REQ-003")
    assert instance.ask("/v1/files/x/y/z", None).status == 404


@pytest.mark.parametrize("killed", ["batches", "gateway"])
def test_each_line_is_in_the_output_once_whoever_is_killed(instance, fakes, killed):
    with openai_client(instance) as client:
        made = start(client, [line(number) for number in range(60)])
        until(lambda: client.batches.retrieve(made.id).request_counts.completed > 5, "some lines are done")
        os.kill(instance.processes()[killed]["pid"], signal.SIGKILL)
        done = until(lambda: answered(client, made), "the batch ended", 60)
        assert done.status == "completed"
        assert [one["custom_id"] for one in lines_of(client, done.output_file_id)] == [f"c{n}" for n in range(60)]
        assert done.request_counts.completed == 60
    assert len(fakes.openai.requests) <= 60 + 3


def answered(client, batch):
    """As `retrieve`; None while gateway or desk are away."""
    try:
        found = client.batches.retrieve(batch.id)
    except (openai.APIConnectionError, openai.InternalServerError):
        return None
    return found if found.status == "completed" else None


def test_who_runs_the_instance_sees_how_far_batches_are_and_ends_them(instance, fakes):
    with openai_client(instance) as client:
        made = start(client, [line(number) for number in range(400)])
        until(lambda: client.batches.retrieve(made.id).request_counts.completed > 2, "it is under way")
        (told,) = instance.freehold("batches", "list", "--status", "open")
        assert (told["id"], told["total"], told["model"]) == (made.id, 400, "gpt")
        assert instance.freehold("batches", "cancel", made.id)["status"] == "cancelling"
        done = ended(client, made)
        assert done.status == "cancelled"
        assert done.request_counts.completed == len(lines_of(client, done.output_file_id)) < 400
    assert instance.freehold("batches", "show", made.id)["status"] == "cancelled"


def test_a_guard_looks_at_every_line_and_at_every_answer(instance, fakes):
    with openai_client(instance) as client:
        told = json.loads(line(1, "watched"))
        told["body"]["messages"][0]["content"] = "write to jane.doe@example.org"
        done = ended(client, start(client, [json.dumps(told).encode()]))
        assert done.request_counts.completed == 1
    assert b"jane.doe" not in fakes.openai.last.body and b"[EMAIL]" in fakes.openai.last.body


def test_owned_models_answer_batches(house):
    with openai_client(house) as client:
        done = ended(client, start(client, [line(number, "owned-chat", max_tokens=4) for number in range(3)]))
        assert (done.status, done.request_counts.completed, done.model) == ("completed", 3, "owned-chat")
        (first, *_) = lines_of(client, done.output_file_id)
        assert first["response"]["body"]["choices"][0]["message"]["content"]
        told = {"custom_id": "e", "url": "/v1/embeddings", "body": {"model": "owned-embed", "input": "a text"}}
        done = ended(client, start(client, [json.dumps(told).encode()], endpoint="/v1/embeddings"))
        assert lines_of(client, done.output_file_id)[0]["response"]["body"]["data"][0]["embedding"]
    call = house.call(first["response"]["request_id"])
    assert call["attempts"][0]["owned"]
