"""Labels of calls by what is in them: stated, remembered, found, and lowered by right alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.core.label import parse_label
from freehold.gateway.recall import Recall
from freehold.identity.types import Grant
from freehold.ledger.frames import Open, Refused
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, ask, frames
from tests.gateway.machine import START, Machine

KEYS = p.keys(
    p.principal(label=parse_label("public")),
    p.principal("fh-secret", name="secret", label=parse_label("restricted")),
    p.principal("fh-lowers", name="lowers", rights=("declassify",), label=parse_label("restricted")),
    p.principal("fh-states", name="states", rights=("override_label",), label=parse_label("restricted")),
    p.principal("fh-glass", name="glass", label=parse_label("restricted"), grants=(Grant("declassify", START + 60),)),
)
REPORT = "The committee found that the dam at Alt-Neudorf holds for two more winters at the very most."
LINE = "Of the nine gates, four can no longer be closed by hand at all."


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    targets = (p.target("vendor", 9001), p.free("mine", 9002, clearance="unknown"))
    return Machine(tmp_path, p.routes(targets, p.route("rented", "vendor"), p.route("both", "vendor", "mine")), KEYS)


def turns(*texts: str) -> list[dict]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def said(machine: Machine, text: str, *lines: str, key: str = p.KEY, messages=None, stream: bool = False) -> None:
    """A call through `both` that is answered with this text."""
    ask(machine, "both", *lines, key=key, messages=messages or "What does the report say?", stream=stream)
    answer(machine, p.chunked(*p.chat_stream(*text)) if stream else p.response(p.chat_answer(text)))


def label(machine: Machine, messages, *lines: str, key: str = p.KEY) -> str:
    """The label of a call with these messages."""
    connection = ask(machine, "both", *lines, key=key, messages=messages)
    if machine.connecting or machine.busy():
        answer(machine, p.response(p.chat_answer("x")))
    assert answered(connection).status == 200
    return frames(machine, Open)[-1].label


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_bears_the_label_of_its_call_wherever_it_is_sent_again(machine, stream) -> None:
    g.arm(machine)
    said(machine, f"{REPORT}\n{LINE}", key="fh-secret", stream=stream)
    assert label(machine, turns("What does the report say?", f"{REPORT}\n{LINE}", "Shorter!")) == "restricted"
    assert label(machine, turns("I have this:", f"{REPORT}\n{LINE}", "What do you think?")) == "restricted"
    assert label(machine, turns("I have this:", f"Here goes.\n{LINE}", "What do you think?")) == "restricted"
    assert label(machine, turns("I have this:", "something else", "What do you think?")) == "public"
    stated = label(
        machine, turns("What does the report say?", f"{REPORT}\n{LINE}", "Go on"), "x-freehold-label: public"
    )
    assert stated == "restricted"


def test_an_answer_that_was_cut_bears_its_label_as_far_as_it_went(machine) -> None:
    g.arm(machine)
    connection = ask(machine, "both", key="fh-secret", messages="What does the report say?", stream=True)
    machine.answer(machine.connect(), p.chunked(*p.chat_stream(f"{REPORT}\n{LINE}\nAnd", " so on"), end=b"")[:-300])
    machine.lose(connection)
    assert label(machine, turns("I have this:", f"{REPORT}\n{LINE}", "What do you think?")) == "restricted"


def test_what_many_say_bears_no_label_of_others_in_its_own_conversation(machine) -> None:
    g.arm(machine)
    greeting = "Hello! How can I help you today, dear friend?"
    said(machine, greeting, key="fh-secret", messages="hi")
    said(machine, greeting, messages="good day")
    assert label(machine, turns("good day", greeting, "what is rain?")) == "public"
    assert label(machine, turns("never seen", greeting, "what is rain?")) == "restricted"


def test_short_answers_are_known_in_their_conversation_alone(machine) -> None:
    g.arm(machine)
    said(machine, "Yes.", key="fh-secret", messages="Will the dam break?")
    assert label(machine, turns("Will the dam break?", "Yes.", "When?")) == "restricted"
    assert label(machine, turns("Is rain wet?", "Yes.", "Why?")) == "public"


def test_what_a_turn_was_said_to_be_it_stays(machine) -> None:
    g.arm(machine)
    document = "Minutes of the board: " + REPORT
    first = [{"role": "user", "content": "Read this."}, {"role": "user", "content": document}]
    assert label(machine, first, "x-freehold-label: internal; 1=restricted:MNPI") == "restricted:MNPI"
    assert label(machine, turns(document)) == "restricted:MNPI"
    assert label(machine, "Read this.") == "public"


def test_a_turns_label_counts_without_a_guard_too(machine) -> None:
    assert label(machine, "Read this.", "x-freehold-label: 0=confidential:GDPR") == "confidential:GDPR"
    found = answered(ask(machine, "rented", "x-freehold-label: one=confidential", messages="hi"))
    assert found.status == 400


def test_what_is_found_joins_what_is_known(machine) -> None:
    g.arm(machine, g.raising())
    said(machine, REPORT, key="fh-secret")
    asked = turns("What does the report say?", REPORT, "And the patient?")
    assert label(machine, asked) == "restricted:HIPAA"
    assert label(machine, "the patient", "x-freehold-label: internal:GDPR") == "restricted:GDPR,HIPAA"


@pytest.mark.parametrize("guarded", [False, True])
def test_a_named_right_lowers_and_is_written_down(machine, guarded) -> None:
    if guarded:
        g.arm(machine)
    wish = "x-freehold-declassify: internal; reason=published on Monday"
    assert label(machine, "the report", wish, key="fh-lowers") == "internal"
    scan = frames(machine, Open)[-1].scan
    assert scan.label == "restricted" and scan.lowered == "internal; declassify: published on Monday"
    assert scan.guard == ("test" if guarded else "")
    assert label(machine, "the report", key="fh-lowers") == "restricted"
    assert label(machine, "the report", "x-freehold-label: internal", key="fh-states") == "internal"
    assert frames(machine, Open)[-1].scan.lowered.startswith("internal; override_label")
    assert label(machine, "the report", "x-freehold-label: internal", key="fh-lowers") == "restricted"


def test_nobody_else_lowers(machine) -> None:
    wish = "x-freehold-declassify: public; reason=I say so"
    assert label(machine, "the report", wish, key="fh-secret") == "restricted"
    g.arm(machine)
    found = answered(ask(machine, "both", wish, key="fh-secret", messages="the report"))
    assert found.status == 403 and frames(machine, Refused)[-1].label == "restricted"
    assert answered(ask(machine, "both", "x-freehold-declassify: public", key="fh-lowers")).status == 400


def test_a_right_for_a_while_ends(machine) -> None:
    wish = "x-freehold-declassify: internal; reason=the dam breaks"
    assert label(machine, "the report", wish, key="fh-glass") == "internal"
    machine.wait(61)
    assert answered(ask(machine, "both", wish, key="fh-glass", messages="the report")).status == 403


def test_no_right_lowers_what_is_found_or_not_looked_at(machine) -> None:
    wish = "x-freehold-declassify: internal; reason=published on Monday"
    g.arm(machine, g.raising())
    assert label(machine, "the patient", wish, key="fh-lowers") == "restricted:HIPAA"
    g.arm(machine, g.rule("flag", "broken", directions=("in",)))
    assert label(machine, "the report", wish, key="fh-lowers") == "unknown"


def test_a_lowered_answer_is_what_it_was_lowered_to(machine) -> None:
    g.arm(machine)
    said(machine, REPORT, "x-freehold-declassify: internal; reason=published on Monday", key="fh-lowers")
    assert label(machine, turns("What does the report say?", REPORT, "Shorter!")) == "internal"


def test_a_service_key_states_the_label_of_what_it_sends(machine) -> None:
    machine.publish(keys=p.keys(p.principal("fh-rooms", name="rooms", role="service", label=parse_label("public"))))
    g.arm(machine, g.raising())
    assert answered(ask(machine, "target:vendor", key="fh-rooms", messages="hello")).status == 400
    found = answered(ask(machine, "target:vendor", "x-freehold-label: restricted", key="fh-rooms", messages="hello"))
    assert found.status == 403
    found = answered(ask(machine, "target:vendor", "x-freehold-label: public", key="fh-rooms", messages="a patient"))
    assert found.status == 403 and frames(machine, Refused)[-1].label == "restricted:HIPAA"


def test_memory_is_bounded_and_holds_no_text() -> None:
    recall = Recall(b"k" * 32, most=50)
    for number in range(100):
        recall.answered([("user", f"question {number}")], [f"{REPORT} {number}"], parse_label("restricted"))
    assert len(recall) == 50
    assert recall.label_of([("user", "x"), ("assistant", f"{REPORT} 99")]) == parse_label("restricted")
    assert recall.label_of([("user", "x"), ("assistant", f"{REPORT} 1")]) is None
    assert b"dam" not in json.dumps([key.hex() for key in recall._known]).encode()
    assert Recall(b"other" * 6).label_of([("assistant", REPORT)]) is None


def test_a_tools_call_is_known_however_it_is_spelled(machine) -> None:
    g.arm(machine)
    call = {"id": "c", "type": "function", "function": {"name": "file", "arguments": json.dumps({"text": REPORT})}}
    told = {
        "message": {"role": "assistant", "content": "I file it.", "tool_calls": [call]},
        "finish_reason": "tool_calls",
    }
    ask(machine, "both", key="fh-secret", messages="File the report.")
    answer(machine, p.response(p.chat_answer(**told)))
    call["function"]["arguments"] = json.dumps({"text": REPORT}, indent=2)
    asked = [
        {"role": "user", "content": "File the report."},
        {"role": "assistant", "content": "I file it.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]
    assert label(machine, asked) == "restricted"


def told(machine: Machine, path: str, body: dict) -> str:
    """The label of a call of any dialect with this body."""
    connection = machine.caller()
    machine.ask(connection, p.request(path, json.dumps({"model": "both", **body}).encode()))
    assert machine.connecting or machine.busy()
    return str(machine.calls[-1].label)


def test_an_answer_that_is_quoted_bears_its_label_wherever_it_stands(machine) -> None:
    g.arm(machine)
    said(machine, f"{REPORT}\n{LINE}", key="fh-secret")
    quoted = f"Shorter, please:\n{REPORT}\nThanks"
    tool = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}
    assert label(machine, quoted) == "restricted"
    assert label(machine, [{"role": "system", "content": quoted}, {"role": "user", "content": "hi"}]) == "restricted"
    assert label(machine, [tool, {"role": "tool", "tool_call_id": "c", "content": quoted}]) == "restricted"
    assert label(machine, "Shorter, please:\nThanks") == "public"
    assert told(machine, "/v1/embeddings", {"input": ["a", REPORT]}) == "restricted"
    assert told(machine, "/v1/embeddings", {"input": ["a", "b"]}) == "public"
    counted = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": f"{REPORT}\n{LINE}"}]
    assert told(machine, "/v1/messages/count_tokens", {"messages": counted}) == "restricted"
