"""Events into the answer they tell, and an answer into events. Pure.

Invariant: `assemble(events_of(answer)) == answer`, and a sequence that is not legal never becomes an answer.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamFailed, UpstreamLied
from freehold.gateway.json_splice import joined, members
from freehold.gateway.messages import (
    Answer,
    Aside,
    Choice,
    Closed,
    Counted,
    Ended,
    Event,
    Failed,
    Grown,
    Opaque,
    Opened,
    Part,
    Refusal,
    Started,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)


class _Block:
    """A block in the making."""

    __slots__ = ("citations", "closed", "part", "signature", "text")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.text: list[str] = []
        self.signature = ""
        self.citations: list[Raw] = []
        self.closed = False

    def whole(self) -> Part:
        """The part with all that it grew by."""
        text = "".join(self.text)
        match self.part:
            case Text():
                citations = (*self.part.citations, *self.citations)
                return msgspec.structs.replace(self.part, text=self.part.text + text, citations=citations)
            case Refusal():
                return Refusal(self.part.text + text)
            case Thinking():
                signature = self.part.signature + self.signature
                return msgspec.structs.replace(self.part, text=self.part.text + text, signature=signature)
            case ToolCall():
                return msgspec.structs.replace(self.part, arguments=self.part.arguments + text)
            case Opaque() if text:
                return msgspec.structs.replace(self.part, raw=_with_input(self.part.raw, text))
        return self.part


class _Choice:
    """An alternative in the making."""

    __slots__ = ("asides", "blocks", "logprobs", "stopped")

    def __init__(self) -> None:
        self.blocks: dict[int, _Block] = {}
        self.logprobs: list[Raw] = []
        self.asides: list[tuple[str, str, Raw]] = []
        self.stopped: Stopped | None = None


class Assembler:
    """Takes events one after the other; raises UpstreamLied at the first that must not come."""

    __slots__ = ("_choices", "_counted", "_ended", "_started")

    def __init__(self) -> None:
        self._started: Started | None = None
        self._choices: dict[int, _Choice] = {}
        self._counted: Counted | None = None
        self._ended = False

    def take(self, event: Event) -> None:
        """One event. Raises UpstreamFailed where the vendor reported an error."""
        if isinstance(event, Failed):
            raise UpstreamFailed(f"the target reported an error in its stream ({event.kind}): {event.message}")
        if self._ended or (self._started is None) != isinstance(event, Started):
            raise UpstreamLied(f"the stream has {_name(event)} where it must not be")
        match event:
            case Started():
                self._started = event
            case Counted():
                self._counted = event
            case Ended():
                self._end()
            case _:
                self._choice(event)

    def answer(self) -> Answer:
        """The whole. Raises UpstreamLied where the end never came."""
        started = self._started
        if started is None or not self._ended:
            raise UpstreamLied("the stream is not whole")
        counted = self._counted
        extra = {(owner, name): value for owner, name, value in started.extra}
        if counted is not None:
            extra |= {(owner, name): value for owner, name, value in counted.extra}
        return Answer(
            id=started.id,
            model=started.model,
            created=started.created,
            choices=tuple(_whole(index, self._choices[index]) for index in sorted(self._choices)),
            usage=started.usage if counted is None else counted.usage,
            extra=tuple((owner, name, value) for (owner, name), value in extra.items()),
        )

    def _choice(self, event: Opened | Grown | Closed | Stopped | Aside) -> None:
        choice = self._choices.setdefault(event.choice, _Choice())
        if choice.stopped is not None and not isinstance(event, Aside):
            raise UpstreamLied(f"the stream has {_name(event)} after its choice stopped")
        match event:
            case Opened():
                if event.block in choice.blocks:
                    raise UpstreamLied("the stream opens a block twice")
                choice.blocks[event.block] = _Block(event.part)
            case Grown():
                block = self._open(choice, event)
                block.text.append(event.text)
                block.signature += event.signature
                if event.citation is not None:
                    block.citations.append(event.citation)
                if event.logprobs is not None:
                    choice.logprobs.append(event.logprobs)
            case Closed():
                self._open(choice, event).closed = True
            case Stopped():
                if not all(block.closed for block in choice.blocks.values()):
                    raise UpstreamLied("the stream stops inside a block")
                choice.stopped = event
            case Aside():
                choice.asides.append((event.dialect, event.field, event.raw))

    def _open(self, choice: _Choice, event: Grown | Closed) -> _Block:
        block = choice.blocks.get(event.block)
        if block is None or block.closed:
            raise UpstreamLied(f"the stream has {_name(event)} for a block that is not open")
        return block

    def _end(self) -> None:
        if not self._choices or any(choice.stopped is None for choice in self._choices.values()):
            raise UpstreamLied("the stream ended before its answer was whole")
        self._ended = True


def assemble(events: Iterable[Event]) -> Answer:
    """The answer a whole stream tells. Raises UpstreamLied on an illegal sequence, UpstreamFailed on its own error."""
    assembler = Assembler()
    for event in events:
        assembler.take(event)
    return assembler.answer()


def events_of(answer: Answer) -> list[Event]:
    """The plainest stream that tells this answer: each block whole, one choice after the other."""
    usage = answer.usage
    late = tuple(one for one in answer.extra if one[1].startswith("usage."))
    early = tuple(one for one in answer.extra if not one[1].startswith("usage."))
    begun = None if usage is None else msgspec.structs.replace(usage, output=0, reasoning=0)
    found: list[Event] = [Started(answer.id, answer.model, answer.created, begun, early)]
    for choice in answer.choices:
        found += _choice_events(choice)
    if usage is not None:
        found.append(Counted(usage, late))
    found.append(Ended())
    return found


def _choice_events(choice: Choice) -> list[Event]:
    found: list[Event] = []
    logprobs = choice.logprobs
    for block, part in enumerate(choice.parts):
        found.append(Opened(block, _empty(part), choice.index))
        grown = _growth(block, part, choice.index)
        if logprobs is not None and grown and grown[0].text:
            grown[0] = msgspec.structs.replace(grown[0], logprobs=logprobs)
            logprobs = None
        found += grown
        found.append(Closed(block, choice.index))
    if logprobs is not None:
        found.append(Aside("", "logprobs", logprobs, choice.index))
    told = tuple(one for one in choice.extra if one[1].startswith("message."))
    found += [Aside(owner, name.removeprefix("message."), value, choice.index) for owner, name, value in told]
    extra = tuple(one for one in choice.extra if one not in told)
    found.append(Stopped(choice.stop, choice.stop_sequence, choice.index, extra))
    return found


def _empty(part: Part) -> Part:
    match part:
        case Text():
            return msgspec.structs.replace(part, text="", citations=())
        case Refusal():
            return Refusal("")
        case Thinking():
            return msgspec.structs.replace(part, text="", signature="")
        case ToolCall():
            return msgspec.structs.replace(part, arguments="")
    return part


def _growth(block: int, part: Part, choice: int) -> list[Grown]:
    match part:
        case Text():
            text = [Grown(block, part.text, choice=choice)] if part.text else []
            return text + [Grown(block, citation=one, choice=choice) for one in part.citations]
        case Refusal():
            return [Grown(block, part.text, choice=choice)] if part.text else []
        case Thinking():
            text = [Grown(block, part.text, choice=choice)] if part.text else []
            return text + ([Grown(block, signature=part.signature, choice=choice)] if part.signature else [])
        case ToolCall():
            return [Grown(block, part.arguments, choice=choice)] if part.arguments else []
    return []


def _whole(index: int, choice: _Choice) -> Choice:
    stopped = choice.stopped or Stopped("end")
    asides = [(owner, f"message.{name}", value) for owner, name, value in choice.asides if name != "logprobs"]
    told = [*choice.logprobs, *(value for _, name, value in choice.asides if name == "logprobs")]
    return Choice(
        index=index,
        parts=tuple(choice.blocks[block].whole() for block in sorted(choice.blocks)),
        stop=stopped.stop,
        stop_sequence=stopped.stop_sequence,
        logprobs=_joined_logprobs(told),
        extra=(*asides, *stopped.extra),
    )


def _joined_logprobs(told: list[Raw]) -> Raw | None:
    """Chunks hold lists of tokens under `content` and `refusal`: joined, they are the whole answer's."""
    if len(told) <= 1:
        return told[0] if told else None
    lists: dict[str, list[Raw]] = {}
    for one in told:
        try:
            for name, value in members(one).items():
                if value != Raw(b"null"):
                    lists.setdefault(name, []).extend(msgspec.json.decode(value, type=list[Raw]))
        except msgspec.DecodeError:
            raise UpstreamLied("the stream's logprobs are not what its protocol allows") from None
    return Raw(joined((name, msgspec.json.encode(values)) for name, values in lists.items()))


def _with_input(raw: Raw, text: str) -> Raw:
    """A block of a kind we do not know, whose input came in fragments."""
    try:
        msgspec.json.decode(text)
        found = members(raw)
    except (msgspec.DecodeError, RecursionError):
        raise UpstreamLied("the stream's block has an input that is not JSON") from None
    found["input"] = Raw(text.encode())
    return Raw(joined(found.items()))


def _name(event: Event) -> str:
    return type(event).__name__.lower()
