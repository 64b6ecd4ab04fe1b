"""The guard on answers, by itself: any text of any answer, cut anywhere, in every dialect, comes out as the whole."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.json_texts import JsonTexts, rewritten
from freehold.gateway.messages import Answer, Choice, Grown, Refusal, Text, Thinking, ToolCall
from freehold.gateway.ports import Peek
from freehold.gateway.screen import Manner, Screen
from freehold.guard.profile import compile_profile
from freehold.guard.vault import Vault
from freehold.ledger.meter import Usage
from tests.gateway import guards as g
from tests.gateway.test_relay import CUTS, split

CHATS = [one for one in DIALECTS if one.name in {"openai_chat", "anthropic_messages"}]
VAULT = Vault(b"t" * 32, "talk")
STAND_IN = VAULT.stand_in("EMAIL", "max.power@acme.example")
GUARD = compile_profile(g.profile(g.rule("redact")), {"pii": g.Emails()})

words = st.sampled_from(
    [
        "Dear ",
        g.EMAIL,
        f" {STAND_IN} ",
        STAND_IN,
        "@",
        ".example",
        " jane.doe",
        "\n",
        '"',
        "\\",
        "ä",
        "😀",
        "x" * 40,
        " ",
        "12345678",
    ]
)
texts = st.lists(words, min_size=1, max_size=8).map("".join)
values = st.recursive(
    texts | st.integers(-(10**9), 10**9) | st.none(), lambda one: st.lists(one, max_size=3), max_leaves=4
)
arguments = st.dictionaries(texts, values, max_size=3).map(lambda one: json.dumps(one, ensure_ascii="ä" in str(one)))


@st.composite
def answers(draw, dialect: str) -> Answer:
    parts = []
    if draw(st.booleans()):
        openai = dialect == "openai_chat"
        parts.append(Thinking(draw(texts), "" if openai else "c2ln", "reasoning_content" if openai else ""))
    parts.append(Text(draw(texts)))
    if dialect == "openai_chat" and draw(st.booleans()):
        parts.append(Refusal(draw(texts)))
    calls = draw(st.lists(arguments, max_size=2))
    parts += [ToolCall(f"call_{at}", "mail", one) for at, one in enumerate(calls)]
    stop = "tool_calls" if calls else "end"
    return Answer(id="a", model="m", created=7, choices=(Choice(parts=tuple(parts), stop=stop),), usage=Usage(3, 4))


def screen(merges: bool) -> Screen:
    manner = Manner(vault=VAULT, vital=frozenset({"pii"}))
    return Screen(GUARD, manner, merges=merges)


def wire(dialect, answer: Answer) -> bytes:
    """The answer as a target streams it, in as many pieces as it has characters."""
    events = []
    for event in events_of(answer):
        if isinstance(event, Grown) and event.text:
            events += [msgspec.structs.replace(event, text=one) for one in event.text]
        else:
            events.append(event)
    return dialect.stream_encoder(Peek("m", stream=True)).feed(events)


@pytest.mark.parametrize("dialect", CHATS, ids=lambda one: one.name)
@settings(max_examples=60)
@given(data=st.data(), cuts=CUTS)
def test_a_stream_cut_anywhere_tells_what_the_whole_does(dialect, data, cuts) -> None:
    answer = data.draw(answers(dialect.name))
    merges = dialect.name == "openai_chat"
    decoder, live = dialect.stream_decoder(), screen(merges)
    out = []
    for piece in split(wire(dialect, answer), cuts):
        out += live.feed(decoder.feed(piece))
    out += live.feed(decoder.end())
    told = assemble(out)
    body, _ = dialect.encode_answer(answer)
    batch = screen(merges)
    whole = batch.answer(dialect.decode_answer(body))
    assert [shown(one) for one in told.choices[0].parts] == [shown(one) for one in whole.choices[0].parts]
    assert live.said() == batch.said() and live.scanned == batch.scanned
    for part in whole.choices[0].parts:
        if isinstance(part, ToolCall):
            json.loads(part.arguments)


def shown(part) -> object:
    if isinstance(part, ToolCall):
        return part.name, json.loads(part.arguments or "{}")
    return type(part).__name__, part.text


@given(data=st.data(), cuts=CUTS, text=arguments | texts)
def test_json_as_it_arrives_is_json_as_a_whole(data, cuts, text) -> None:
    class Shout:
        heard = ""

        def feed(self, text: str) -> str:
            self.heard += text
            return text.upper()

        def end(self) -> str:
            return "!" if self.heard else ""

    whole = JsonTexts(Shout)
    expected = whole.feed(text) + whole.end()
    pieces = JsonTexts(Shout)
    assert "".join([pieces.feed(one) for one in split_text(text, cuts)]) + pieces.end() == expected
    try:
        value = json.loads(text)
    except ValueError:
        return
    assert json.loads(expected) == shouted(value)
    assert json.loads(rewritten(text, lambda one: one.upper() + "!")) == shouted(value)
    assert rewritten(text, lambda one: one) == text


def shouted(value: object) -> object:
    match value:
        case str():
            return f"{value.upper()}!" if value else ""
        case bool() | None:
            return value
        case int():
            return f"{value}!" if len(str(abs(value))) >= 6 else value
        case list():
            return [shouted(one) for one in value]
        case dict():
            return {shouted(key): shouted(one) for key, one in value.items()}
    raise AssertionError(value)


def split_text(text: str, cuts: list[int]) -> list[str]:
    places = sorted({cut % (len(text) or 1) for cut in cuts} - {0})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@pytest.mark.parametrize("escaped", [r"jane.doe\u0040acme.example", r"\u006aane.doe@acme.example"])
def test_escapes_hide_nothing(escaped) -> None:
    call = ToolCall("c", "mail", '{"to":"' + escaped + '", "n": 1}')
    answer = Answer(id="a", model="m", choices=(Choice(parts=(call,), stop="tool_calls"),))
    (part,) = screen(merges=True).answer(answer).choices[0].parts
    assert part.arguments == '{"to":"[EMAIL]", "n": 1}'


@pytest.mark.parametrize(
    "said",
    [
        "{mail}",
        '{{"to": {mail}, "cc": 1}}',
        '{{"to": "x"}} and {mail}',
        "{{to: '{mail}'}}",
        '{{"n": 12 34, "to": {mail}}}',
        "tru{mail}",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_arguments_that_are_no_json_are_looked_at(said, size) -> None:
    text = said.format(mail=f" {g.EMAIL}")
    flow = JsonTexts(screen(merges=False).sieve)
    cut = [text[at : at + size] for at in range(0, len(text), size)]
    out = "".join([flow.feed(one) for one in cut]) + flow.end()
    assert out == text.replace(g.EMAIL, "[EMAIL]")


@pytest.mark.parametrize("text", ['{"a":-1.5e3,"b":[true,false , null ],"c":{}}', " 12 ", "[-1,2\n]", "true", "-"])
def test_what_is_json_stays_as_it_is(text) -> None:
    flow = JsonTexts(screen(merges=False).sieve)
    assert "".join(map(flow.feed, text)) + flow.end() == text
