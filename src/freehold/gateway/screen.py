"""The guard on an answer: each text of it goes through the restoring of stand-ins, then through a scanner.

A stage between decoding and encoding, the same for whole answers and streams: a whole answer is the plainest stream
that tells it. Invariant: no character of a text goes on that a scanner did not take; where the count differs, or a
detector fails, the answer is cut.
"""

from __future__ import annotations

import re
import sys

from msgspec import Raw
from msgspec.structs import replace

from freehold.core.label import Label
from freehold.gateway.armed import Patience
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.errors import AnswerBlocked, ApprovalNeeded, ScanFailed
from freehold.gateway.following import Follows
from freehold.gateway.json_texts import JsonTexts, Sieve, is_sealed, rewritten
from freehold.gateway.messages import (
    Answer,
    Aside,
    Closed,
    Counted,
    Event,
    Extra,
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
from freehold.gateway.ports import Restore
from freehold.gateway.recall import texts_of
from freehold.gateway.refusing import Hold
from freehold.guard.profile import Guard
from freehold.guard.scanner import Scanner
from freehold.guard.types import Finding
from freehold.guard.vault import Vault

CALL, THINKING = "call", "thinking"
LOGPROBS = "logprobs"
_PICTURE = re.compile(r"[A-Za-z0-9+/]{1024,}={0,2}")
STEP = 24
"""Characters that are scanned at once: some five tokens, a fraction of what scanners hold back anyway."""


class Manner:
    """What a screen needs to know of its call."""

    __slots__ = ("alters", "follows", "hold", "inner", "patience", "vault", "vital", "withhold")

    def __init__(
        self,
        *,
        vault: Vault | None,
        vital: frozenset[str],
        withhold: str = "",
        inner: Restore | None = None,
        hold: Hold | None = None,
        follows: Follows | None = None,
    ) -> None:
        """`vital` are detectors whose failure cuts the answer: they would take something from it.

        `withhold` says how a call of a tool may be approved; empty where it needs no approval.
        """
        self.vault = vault if vault is not None and len(vault) else None
        self.vital = vital
        self.alters = bool(vital) or self.vault is not None
        self.withhold = withhold
        self.inner = inner
        self.hold = hold
        self.follows = follows
        self.patience = Patience()


class _Flow:
    """One text of the answer on its way."""

    __slots__ = ("block", "came", "kind", "sieve", "waiting", "went")

    def __init__(self, block: int, kind: str, sieve: Sieve) -> None:
        self.block = block
        self.kind = kind
        self.sieve = sieve
        self.waiting = False
        """Was it closed, while the same text may yet go on in another block?"""
        self.came: list[str] = []
        self.went: list[str] = []


class Screen:
    """One answer. `merges` where the target's dialect tells one text in several blocks (see `_close`)."""

    def __init__(self, guard: Guard, manner: Manner, *, merges: bool) -> None:
        self.findings: list[Finding] = []
        self.label: Label | None = None
        """What was found joins to it; UNKNOWN where a detector failed."""
        self.failed: tuple[str, ...] = ()
        self.scanned = 0
        self.changed = False
        """Is what goes on not what came?"""
        self.dropped: tuple[str, ...] = ()
        self._guard = guard
        self._manner = manner
        self._merges = merges
        self.step = STEP
        self._given = 0
        self._plain = ""
        """What went on of an answer without a neutral form."""
        self._begun = False
        self._pending: list[Event] = []
        self._flows: dict[tuple[int, int], _Flow] = {}
        self._open: dict[tuple[int, str], _Flow] = {}
        """Texts by choice and kind, where blocks of a kind are one text."""
        self._every: dict[tuple[int, int], _Flow] = {}
        """All texts by choice and the block they began in."""

    def answer(self, answer: Answer) -> Answer:
        """A whole answer. Raises AnswerBlocked, ApprovalNeeded, ScanFailed, ModelRefused."""
        if self._manner.inner is not None:
            answer = self._manner.inner.answer(answer)
            self._manner.inner = None
        self.step = sys.maxsize
        return assemble(self.feed(events_of(answer)))

    def plain(self, body: bytes, *, pictures: bool) -> bytes:
        """A whole answer without a neutral form: the texts of its JSON, or all of it as one text. Raises as `answer`.

        Where it may hold `pictures`, what is long and base64 from end to end is one, and stays as it is.
        """
        text = body.decode("utf-8", "surrogateescape")
        self._manner.patience.begin(len(text))
        self._plain = new = rewritten(
            text, lambda one: one if pictures and _PICTURE.fullmatch(one) else self._whole(one)
        )
        self._manner.patience.rest()
        return new.encode("utf-8", "surrogateescape") if self.changed else body

    def feed(self, events: list[Event]) -> list[Event]:
        """Events of a stream; holds back what could still become a finding. Raises as `answer` does."""
        manner = self._manner
        if manner.inner is not None:
            events = manner.inner.feed(events)
        if manner.hold is not None:
            events = manner.hold.feed(events)
        out: list[Event] = []
        manner.patience.begin(sum(len(one.text) for one in events if isinstance(one, Grown)))
        for event in events:
            self._take(event, out)
        manner.patience.rest()
        return out if self._begun else self._begin_with(out)

    def _begin_with(self, out: list[Event]) -> list[Event]:
        """Nothing goes on before something is said: until then another target may still answer."""
        self._pending += out
        self._begun = any(not isinstance(one, Started | Opened | Counted) or _is_call(one) for one in out)
        return self._pending if self._begun else []

    def said(self) -> tuple[str, ...]:
        """What each choice said so far, as the caller will see it; not what it thought."""
        if self._plain:
            return (self._plain,)
        found: dict[int, list[str]] = {}
        for (choice, _), flow in sorted(self._every.items()):
            text = "".join(flow.went)
            if flow.kind == CALL:
                text = texts_of(text)
            if text and not flow.kind.startswith(THINKING):
                found.setdefault(choice, []).append(text)
        return tuple("\n".join(texts) for texts in found.values())

    def over(self) -> None:
        """Nothing more comes: let go of the texts, which hold on to this."""
        for one in (self._flows, self._open, self._every):
            one.clear()

    # One text

    def sieve(self) -> Sieve:
        """A way for one text."""
        return _Sieve(self)

    def scanner(self) -> Scanner:
        """What one text is scanned by."""
        return Scanner(self._guard, "assistant", direction="out", late=self._manner.patience.late)

    def restorer(self) -> Sieve | None:
        """What puts values back into one text."""
        return None if self._manner.vault is None else self._manner.vault.restorer()

    def account(self, scanner: Scanner, given: int, seen: int) -> None:
        """Take over what one scanner found. Raises where its text may not go on."""
        self.scanned += scanner.scanned - seen
        self._given += given
        whole = self.scanned == self._given or scanner.blocked
        if scanner.failed or not whole:
            self.failed = tuple(dict.fromkeys((*self.failed, *(scanner.failed or ("count",)))))
            if not whole or not self._manner.vital.isdisjoint(scanner.failed):
                raise ScanFailed(f"the answer could not be looked at whole: {', '.join(self.failed)}")
        if scanner.blocked:
            self.findings += scanner.findings
            raise AnswerBlocked(f"the answer holds {scanner.blocked}, which this route does not let through")

    def ended(self, scanner: Scanner) -> None:
        """One text is over."""
        self.findings += scanner.findings
        if scanner.label is not None:
            self.label = scanner.label if self.label is None else self.label.join(scanner.label)

    def _whole(self, text: str) -> str:
        sieve = self.sieve()
        new = sieve.feed(text) + sieve.end()
        self.changed = self.changed or new != text
        return new

    # Events

    def _take(self, event: Event, out: list[Event]) -> None:
        match event:
            case Grown():
                self._grow(event, out)
            case Opened():
                self._begin(event, out)
            case Closed():
                self._close(event, out)
            case Stopped():
                self._stop(event, out)
            case Aside():
                self._aside(event, out)
            case Started():
                out.append(replace(event, extra=self._extra(event.extra)))
            case _:
                out.append(event)

    def _begin(self, event: Opened, out: list[Event]) -> None:
        part, key = event.part, (event.choice, event.block)
        if isinstance(part, ToolCall):
            how = self._manner.withhold
            if how:
                raise ApprovalNeeded(f"the call of the tool {part.name[:80]!r} waits for a person's approval: {how}")
        kind = _kind(part)
        if kind and self._merges:
            held = self._open.get((event.choice, kind))
            if held is not None:
                held.waiting = False
                self._flows[key] = held
                self.changed = True
                return
        sieve: Sieve = self.sieve() if kind else JsonTexts(self.sieve)
        flow = self._flows[key] = self._every[key] = _Flow(event.block, kind or CALL, sieve)
        if kind:
            self._open[event.choice, kind] = flow
        out.append(replace(event, part=self._part(part)))

    def _part(self, part: Part) -> Part:
        match part:
            case ToolCall():
                return replace(part, name=self._whole(part.name), extra=self._extra(part.extra))
            case Opaque():
                return replace(part, raw=self._raw(part.raw))
            case Text() | Thinking():
                return replace(part, extra=self._extra(part.extra))
        return part

    def _grow(self, event: Grown, out: list[Event]) -> None:
        flow = self._flows.get((event.choice, event.block))
        if flow is None:  # the assembler or the encoder will say what is wrong with it
            out.append(event)
            return
        new = flow.sieve.feed(event.text) if event.text else ""
        flow.came.append(event.text)
        flow.went.append(new)
        logprobs = event.logprobs
        if logprobs is not None and self._manner.alters:
            self._drop()
            logprobs = None
        citation = None if event.citation is None else self._raw(event.citation)
        if new or event.signature or citation is not None or logprobs is not None:
            out.append(replace(event, block=flow.block, text=new, citation=citation, logprobs=logprobs))

    def _close(self, event: Closed, out: list[Event]) -> None:
        """A block is over. Where the target's dialect tells one text in several blocks, as thinking and speaking take
        turns, the text is over when its choice is: what stands at the end of one block may go on in the next.
        """
        flow = self._flows.pop((event.choice, event.block), None)
        if flow is None:
            out.append(event)
        elif self._merges and flow in self._open.values():
            flow.waiting = True
        else:
            self._end(flow, event.choice, out)
            out.append(event)

    def _end(self, flow: _Flow, choice: int, out: list[Event]) -> None:
        rest = flow.sieve.end()
        flow.went.append(rest)
        self.changed = self.changed or "".join(flow.came) != "".join(flow.went)
        if rest:
            out.append(Grown(flow.block, rest, choice=choice))

    def _stop(self, event: Stopped, out: list[Event]) -> None:
        for key in [one for one in self._open if one[0] == event.choice]:
            flow = self._open.pop(key)
            if flow.waiting:
                self._end(flow, event.choice, out)
                out.append(Closed(flow.block, event.choice))
        if self._manner.follows is not None and event.stop == "end":
            self._follow(self._manner.follows, event.choice)
        out.append(replace(event, extra=self._extra(event.extra)))

    def _follow(self, follows: Follows, choice: int) -> None:
        """Hold what one choice said to the schema it was asked for."""
        texts = [flow.went for (of, _), flow in sorted(self._every.items()) if of == choice and flow.kind == "text"]
        found = follows.look("".join(piece for went in texts for piece in went))
        if found is not None:
            self.findings.append(found)

    def _aside(self, event: Aside, out: list[Event]) -> None:
        if event.field == LOGPROBS and self._manner.alters:
            self._drop()
            return
        out.append(event if is_sealed(event.field, bytes(event.raw)) else replace(event, raw=self._raw(event.raw)))

    def _drop(self) -> None:
        """Log probabilities spell the text out before anything was taken from it."""
        self.dropped = (LOGPROBS,)
        self.changed = True

    def _raw(self, raw: Raw) -> Raw:
        text = bytes(raw).decode("utf-8", "surrogateescape")
        new = rewritten(text, self._whole)
        return raw if new == text else Raw(new.encode("utf-8", "surrogateescape"))

    def _extra(self, extra: Extra) -> Extra:
        return tuple(
            (owner, name, value if is_sealed(name, bytes(value)) else self._raw(value)) for owner, name, value in extra
        )


class _Sieve:
    """One text through restoring and scanning."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._restorer = screen.restorer()
        self._scanner = screen.scanner()
        self._waiting = ""

    def feed(self, text: str) -> str:
        """The next characters."""
        self._waiting += text if self._restorer is None else self._restorer.feed(text)
        if len(self._waiting) < self._screen.step:
            return ""
        text, self._waiting = self._waiting, ""
        return self._scan(text, ended=False)

    def end(self) -> str:
        """The rest."""
        rest = self._waiting if self._restorer is None else self._waiting + self._restorer.end()
        self._waiting = ""
        new = self._scan(rest, ended=True)
        self._screen.ended(self._scanner)
        return new

    def _scan(self, text: str, *, ended: bool) -> str:
        scanner = self._scanner
        seen = scanner.scanned
        try:
            new = scanner.whole(text) if ended else scanner.feed(text)
        except Exception as error:
            raise ScanFailed(f"the answer could not be looked at: {type(error).__name__}") from error
        self._screen.account(scanner, len(text), seen)
        return new


def _is_call(event: Event) -> bool:
    return isinstance(event, Opened) and isinstance(event.part, ToolCall)


def _kind(part: Part) -> str:
    """What of a message this text belongs to; empty for what is JSON, or no text."""
    match part:
        case Text():
            return "text"
        case Refusal():
            return "refusal"
        case Thinking():
            return f"{THINKING}.{part.field}"
    return ""
