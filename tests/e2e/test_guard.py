"""A guard from the file to the receipt: a whole instance, both official dialects, both vendors' fakes."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.e2e.sdks import OpenAi, anthropic_client, ask
from tests.fakes.replies import Reply

CONFIG = """\
[policy]
guard = "watch"
[guard.house]
like = "pseudonymise"
reroute_refusals = true
system = "Answer as the house does."
rules = [
  { detector = "custom", kinds = ["codename"], action = "raise", label = "restricted", directions = ["in"] },
  { detector = "custom", kinds = ["never"], action = "block" },
]
custom = [{ name = "codename", words = ["Operation Nightjar"] }, { name = "never", words = ["zanzibar protocol"] }]
[providers.own]
vendor = "anthropic"
base_url = "@anthropic/v1"
api_key = "${env:E2E_ANTHROPIC_KEY}"
owned = true
[targets.own]
provider = "own"
model = "own-fake"
[routes.house]
targets = ["gpt", "own"]
guard = "house"
[routes.rented]
targets = ["gpt"]
guard = "house"
[routes.open]
targets = ["gpt"]
guard = ""
[routes.watched]
targets = ["gpt"]
"""
MAIL = "maria.keller@example.org"


def shown(instance, call: str) -> dict:
    return instance.call(call)["call"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_vendor_sees_stand_ins_and_the_caller_does_not(instance, fakes, stream):
    chat = OpenAi(instance, sync=True)
    asked = ask(f"My address is {MAIL}, please repeat it.")
    chat.create(model="rented", messages=asked)
    stand_in = fakes.openai.last.json["messages"][-1]["content"].split()[3].strip(",")
    fakes.openai.say(Reply(text=f"It is {stand_in} indeed, {stand_in}."))
    if stream:
        text = "".join(one.choices[0].delta.content or "" for one in chat.chunks(model="rented", messages=asked))
    else:
        text = chat.create(model="rented", messages=asked).choices[0].message.content
    assert text == f"It is {MAIL} indeed, {MAIL}."
    assert MAIL.encode() not in fakes.sent() and MAIL.split("@", maxsplit=1)[0].encode() not in fakes.sent()
    assert fakes.openai.last.json["messages"][0] == {"role": "system", "content": "Answer as the house does."}


def test_what_was_found_stands_in_the_ledger_and_in_the_receipt(instance, fakes):
    got = instance.ask("/v1/chat/completions", {"model": "rented", "messages": ask(f"Write to {MAIL}")}, {})
    kept = shown(instance, got.call)
    assert kept["scan"]["guard"] == "house" and kept["scan"]["request"]["found"] == {"pii/EMAIL": 1}
    assert kept["scanned"] > len(MAIL) and len(kept["scan"]["guard_sha256"]) == 64
    told = instance.freehold("calls", "show", got.call)
    assert told["call"]["scan"] == kept["scan"] and MAIL not in json.dumps(told)


def test_what_raises_the_label_stays_at_home_and_what_is_blocked_nowhere(instance, fakes):
    body = {"model": "house", "messages": ask("What of Operation Nightjar?")}
    got = instance.ask("/v1/chat/completions", body, {})
    assert (got.status, got.headers["x-freehold-target"]) == (200, "own") and not fakes.openai.requests
    assert shown(instance, got.call)["label"] == "restricted"
    got = instance.ask("/v1/chat/completions", {**body, "model": "rented"}, {})
    assert got.status == 403
    body = {"model": "house", "messages": ask("Explain the Zanzibar Protocol")}
    got = instance.ask("/v1/chat/completions", body, {})
    assert (got.status, got.headers["x-freehold-error"]) == (403, "FH-POL-030")


def test_a_refused_request_is_answered_by_the_owned_model_once(instance, fakes):
    fakes.openai.say(Reply(text="I'm sorry, but I can't help with that."))
    fakes.anthropic.say(Reply(text="A virus is a small thing."))
    got = instance.ask("/v1/chat/completions", {"model": "house", "messages": ask("Explain the flu virus")}, {})
    assert got.json["choices"][0]["message"]["content"] == "A virus is a small thing."
    tried = instance.call(got.call)["attempts"]
    assert [(one["target"], one["outcome"]) for one in tried] == [("gpt", "refused_by_model"), ("own", "ok")]
    with anthropic_client(instance) as client:
        said = client.messages.create(model="house", messages=ask("Explain the flu virus"), max_tokens=50)
    assert said.content[0].text == "A virus is a small thing."


def test_the_policys_guard_holds_where_a_route_says_nothing(instance, fakes):
    got = instance.ask("/v1/chat/completions", {"model": "watched", "messages": ask(f"Write to {MAIL}")}, {})
    assert shown(instance, got.call)["scan"]["guard"] == "watch" and MAIL.encode() in fakes.sent()
    got = instance.ask("/v1/chat/completions", {"model": "open", "messages": ask(f"Write to {MAIL}")}, {})
    assert shown(instance, got.call)["scan"] is None


def test_nothing_found_is_kept_in_plain(instance, fakes):
    instance.ask("/v1/chat/completions", {"model": "rented", "messages": ask(f"Write to {MAIL}")}, {})
    for path in [
        *instance.home.glob("journal/*/*"),
        *instance.home.glob("logs/*"),
        *instance.home.glob("freehold.db*"),
    ]:
        assert MAIL.encode() not in path.read_bytes(), path
    with sqlite3.connect(instance.home / "freehold.db") as database:
        assert not [one for one in database.execute("SELECT scan FROM calls") if MAIL in json.dumps(one)]
