"""A stream of Gemini's answers into events; a whole answer is a stream of one.

Texts in a row are one block, a signed part is a block of its own. A stream has no end mark: it is whole where each
alternative told why it stopped, or the vendor why there is none.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from freehold.core.errors import UpstreamLied
from freehold.gateway.assemble import assemble
from freehold.gateway.dialects import gemini_wire as wire
from freehold.gateway.dialects.gemini_parts import EMPTY, SIGNATURE, Calls, many, part_of
from freehold.gateway.dialects.gemini_wire import NAME
from freehold.gateway.json_fields import Fields, of_target, own
from freehold.gateway.messages import (
    Answer,
    Aside,
    Closed,
    Counted,
    Ended,
    Event,
    Extra,
    Failed,
    Grown,
    Image,
    Opaque,
    Opened,
    Part,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from freehold.gateway.sse import StreamReader
from freehold.ledger.meter import Usage

FILTERED = frozenset(
    {
        "BLOCKLIST", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR",
        "PROHIBITED_CONTENT", "RECITATION", "SAFETY", "SPII",
    }
)  # fmt: skip
"""Reasons that say the vendor held something back."""
FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    }
)  # fmt: skip
"""Reasons that say there is no answer to use."""
REASONS = {"end": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY", "tool_calls": "STOP"}
UNSAID = "FINISH_REASON_UNSPECIFIED"
BLOCKED = "own.blocked"
"""Marks an answer that is none: the vendor refused the prompt, and says so in its feedback."""


class _Choice:
    """One alternative under way."""

    __slots__ = ("called", "extra", "open", "reason", "seen")

    def __init__(self) -> None:
        self.open: Part | None = None
        self.seen = -1
        self.called = False
        self.reason = ""
        self.extra: dict[str, Raw] = {}


class Reading:
    """What the chunks of one answer tell, one after the other."""

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._started = False
        self._blocked = False
        self._calls = Calls("")
        self._usage = Usage()
        self._counts: Extra = ()
        self._told: set[str] = set()
        self._late: Extra = ()
        """What only later chunks said."""

    @property
    def complete(self) -> bool:
        """Is there nothing left to come?"""
        return self._blocked or (bool(self._choices) and all(one.reason for one in self._choices.values()))

    def chunk(self, top: Fields, out: list[Event]) -> None:
        """One chunk. Raises UpstreamLied."""
        identity, model = top.text("responseId"), top.text("modelVersion")
        usage, candidates = top.raw("usageMetadata"), many(top, "candidates")
        feedback = inner_text(top, "promptFeedback", "blockReason")
        rest = tuple(one for one in top.rest(NAME) if one[1] not in self._told)
        self._told |= {one[1] for one in rest}
        if usage is not None:
            self._usage, self._counts = wire.told_usage(usage)
        if not self._started:
            self._started = True
            self._calls = Calls(identity)
            begun = None if usage is None else replace(self._usage, output=0, reasoning=0)
            out.append(Started(identity, model, usage=begun, extra=rest))
            rest = ()
        self._blocked = self._blocked or (bool(feedback) and not candidates)
        for at, (_, one) in enumerate(candidates):
            self._candidate(at, one, out)
        self._late = (*self._late, *rest)
        if usage is not None or rest:
            out.append(Counted(self._usage, (*self._counts, *self._late)))

    def end(self, out: list[Event]) -> None:
        """The answer is over. Raises UpstreamLied where there is none to use."""
        if not self._choices and not self._blocked:
            raise UpstreamLied("the target's answer holds no candidates")
        for index, one in sorted(self._choices.items()):
            self._shut(index, one, out)
            stop, extra = _stop_of(one)
            more: Extra = tuple((NAME, name, value) for name, value in one.extra.items())
            out.append(Stopped(stop, choice=index, extra=(*extra, *more)))
        if not self._choices:
            out.append(Stopped("content_filter", extra=((NAME, BLOCKED, Raw(b"true")),)))
        out.append(Ended())

    def _candidate(self, at: int, one: Fields, out: list[Event]) -> None:
        told = one.integer("index")
        index = at if told is None else told
        choice = self._choices.setdefault(index, _Choice())
        content = one.inner("content")
        if content is not None:
            role = content.text("role", "model")
            if role not in {"model", ""}:
                content.wrong("expected model", "role")
            for raw, part in many(content, "parts"):
                self._part(part_of(raw, part, self._calls), index, choice, out)
        reason = one.text("finishReason")
        if reason and reason != UNSAID:
            choice.reason = reason
        choice.extra |= {name: value for _, name, value in one.rest(NAME)}

    def _part(self, part: Part, index: int, choice: _Choice, out: list[Event]) -> None:
        match part:
            case Text() if part.extra:
                self._signed(part, index, choice, out)
            case Text() | Thinking():
                self._said(part, index, choice, out)
            case ToolCall():
                choice.called = True
                self._whole(replace(part, arguments=""), part.arguments, index, choice, out)
            case Image() | Opaque():
                made = part if isinstance(part, Opaque) else Opaque(NAME, "inlineData", _again(part))
                self._whole(made, "", index, choice, out)
            case ToolResult():
                raise UpstreamLied("the target's answer holds a tool's result")

    def _signed(self, part: Text, index: int, choice: _Choice, out: list[Event]) -> None:
        """A text with fields of its own; one that says nothing only brings a signature."""
        signature = own(part.extra, NAME, SIGNATURE)
        if part.text:
            self._whole(replace(part, text=""), part.text, index, choice, out)
        elif signature is not None:
            out.append(Aside(NAME, SIGNATURE, signature, index))
        elif own(part.extra, NAME, EMPTY) is None:
            self._whole(part, "", index, choice, out)

    def _said(self, part: Text | Thinking, index: int, choice: _Choice, out: list[Event]) -> None:
        signature = part.signature if isinstance(part, Thinking) else ""
        if type(choice.open) is not type(part) or choice.open.extra != part.extra:
            self._shut(index, choice, out)
            choice.open = replace(part, text="", signature="") if isinstance(part, Thinking) else replace(part, text="")
            choice.seen += 1
            out.append(Opened(choice.seen, choice.open, index))
        if part.text or signature:
            out.append(Grown(choice.seen, part.text, signature, choice=index))
        if signature:
            self._shut(index, choice, out)

    def _whole(self, part: Part, text: str, index: int, choice: _Choice, out: list[Event]) -> None:
        self._shut(index, choice, out)
        choice.seen += 1
        out.append(Opened(choice.seen, part, index))
        if text:
            out.append(Grown(choice.seen, text, choice=index))
        out.append(Closed(choice.seen, index))

    def _shut(self, index: int, choice: _Choice, out: list[Event]) -> None:
        if choice.open is not None:
            choice.open = None
            out.append(Closed(choice.seen, index))


class Decoder(StreamReader):
    """Feed it a body; it raises UpstreamLied where that is no stream of this dialect."""

    __slots__ = ("_reading",)
    end_mark = "a finish reason"

    def __init__(self) -> None:
        super().__init__()
        self._reading = Reading()

    def end(self) -> list[Event]:
        """The body is over. Raises UpstreamLied where an alternative never told why it stopped."""
        out: list[Event] = []
        for payload in self._events.end():
            self._take(payload, out)
        if self._over:
            return out
        if not self._reading.complete:
            raise UpstreamLied(f"the target's stream was cut: {self.end_mark} never came")
        self._reading.end(out)
        return out

    def _take(self, payload: bytes, out: list[Event]) -> None:
        if self._over:
            return
        top = _top(payload)
        error = top.inner("error")
        if error is not None:
            kind, message = error.text("status", "INTERNAL"), error.text("message", "an error in its stream")
            self._over = True
            out.append(Failed(kind, message, Raw(payload)))
            return
        self._reading.chunk(top, out)


def answer_of(body: bytes) -> Answer:
    """A whole answer. Raises UpstreamLied."""
    top = _top(body)
    if top.raw("error") is not None:
        raise UpstreamLied("the target answered 200 with an error inside")
    reading = Reading()
    out: list[Event] = []
    reading.chunk(top, out)
    reading.end(out)
    return assemble(out)


def inner_text(top: Fields, name: str, member: str) -> str:
    """A text inside a member that stays where it is; empty where there is none."""
    raw = top.raw(name)
    if raw is None:
        return ""
    top.put_back(name, raw)
    return top.within(name, raw).text(member)


def _top(body: bytes) -> Fields:
    """An answer's top; members that are passed on unread are UTF-8 too. Raises UpstreamLied."""
    try:
        if not body.isascii():
            body.decode()
    except UnicodeDecodeError as error:
        raise UpstreamLied(f"the target's answer is not valid JSON: not UTF-8 at byte {error.start}") from None
    return of_target(body)


def _stop_of(one: _Choice) -> tuple[str, Extra]:
    """The neutral word; the vendor's own is kept where it says more."""
    reason = one.reason or "STOP"
    if reason in FAILED:
        raise UpstreamLied(f"the target's answer is of no use: {reason}")
    stop = "length" if reason == "MAX_TOKENS" else "content_filter" if reason in FILTERED else "end"
    if stop == "end" and one.called:
        stop = "tool_calls"
    return stop, () if REASONS[stop] == reason else ((NAME, "finishReason", Raw(msgspec.json.encode(reason))),)


def _again(part: Image) -> Raw:
    """An image the model made, as it came."""
    kept = {name: value for _, name, value in part.extra}
    name, member, said = ("inlineData", "data", part.data) if part.data else ("fileData", "fileUri", part.url)
    return Raw(msgspec.json.encode({name: {"mimeType": part.media_type, member: said}, **kept}))
