"""What a gateway remembers of conversations: how sensitive what was said in them is. Never what was said.

An answer bears the label of the call that it was made for. Who sends it again, in its conversation or in another, sends
content with that label, whatever a header says. Kept as keyed digests, the latest so many, in one process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from freehold.core.label import Label
from freehold.gateway.json_texts import rewritten
from freehold.gateway.messages import Part, Refusal, Request, Text, ToolCall, ToolResult, Turn

MOST = 100_000
"""Digests kept: some 20 MB."""
LEAST_ANSWER = 24
"""Characters of an answer, or of a line of one, below which it is nobody's: `Yes.`, `Here is the summary:`."""
LEAST_LINE = 48
LEAST_TURN = 64
"""The same of what a user or a tool said."""
MOST_LINES = 64
"""Lines that are kept of an answer."""
MOST_QUOTED = 2000
"""Lines that are looked up of a text that may quote an answer."""

Said = tuple[str, str]
"""Role (`assistant`, else `user`) and text of one turn, the system's left out."""


class Recall:
    """One process's memory."""

    def __init__(self, key: bytes, most: int = MOST) -> None:
        """`key` (up to 64 bytes) is the installation's: digests tell nothing to who has not got it."""
        self._key = key[:64]
        self._most = most
        self._known: OrderedDict[bytes, Label] = OrderedDict()

    def __len__(self) -> int:
        """Digests kept."""
        return len(self._known)

    def label_of(self, turns: Sequence[Said]) -> Label | None:
        """What earlier calls say of these turns; None where they say nothing.

        An answer in the very conversation it was given in has that call's label. Elsewhere it has the join of all
        calls in which it was said.
        """
        found: Label | None = None
        chain = b""
        for role, text in turns:
            chain = self._chained(chain, role, text)
            known = self._get(chain) if role == "assistant" else None
            labels = [known] if known is not None else [self._get(one) for one in self._digests(role, text)]
            for one in labels:
                if one is not None:
                    found = one if found is None else found.join(one)
        return found

    def label_within(self, texts: Iterable[str]) -> Label | None:
        """What earlier calls say of texts that are no turn of a model's, but may hold what one said, whole or by its
        longer lines: questions, tools' results, documents, the system's words, what is embedded.
        """
        found: Label | None = None
        for text in texts:
            lines = [text, *text.splitlines()[:MOST_QUOTED]]
            plain = {line for line in (" ".join(one.split()) for one in lines) if len(line) >= LEAST_LINE}
            for line in sorted(plain):
                one = self._get(self._digest(line))
                if one is not None:
                    found = one if found is None else found.join(one)
        return found

    def answered(self, turns: Sequence[Said], texts: Iterable[str], label: Label) -> None:
        """These turns were answered with these texts, and `label` holds for the answer."""
        before = self._chain(turns)
        for text in texts:
            self._put(self._chained(before, "assistant", text), label, only=True)
            for one in self._digests("assistant", text):
                self._put(one, label)

    def stated(self, turns: Sequence[Said], label: Label | None, labels: Mapping[int, Label]) -> None:
        """A caller said of all these turns, or of some by their index, how sensitive they are."""
        for at, (role, text) in enumerate(turns):
            own = labels.get(at)
            joined = own if label is None else label if own is None else label.join(own)
            if joined is not None:
                for one in self._digests(role, text):
                    self._put(one, joined)

    def _digests(self, role: str, text: str) -> list[bytes]:
        """Of the text, and of its longer lines where a model wrote it."""
        plain = " ".join(text.split())
        if role != "assistant":
            return [self._digest(plain)] if len(plain) >= LEAST_TURN else []
        found = [self._digest(plain)] if len(plain) >= LEAST_ANSWER else []
        lines = text.splitlines()
        if len(lines) > 1:
            long = [line for line in (" ".join(one.split()) for one in lines) if len(line) >= LEAST_LINE]
            found += [self._digest(line) for line in long[:MOST_LINES]]
        return found

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key).digest()

    def _chain(self, turns: Sequence[Said]) -> bytes:
        chain = b""
        for role, text in turns:
            chain = self._chained(chain, role, text)
        return chain

    def _chained(self, chain: bytes, role: str, text: str) -> bytes:
        data = b"%b\0%b\0%b" % (chain, role.encode(), " ".join(text.split()).encode("utf-8", "surrogatepass"))
        return blake2b(data, digest_size=17, key=self._key).digest()

    def _get(self, digest: bytes) -> Label | None:
        found = self._known.get(digest)
        if found is not None:
            self._known.move_to_end(digest)
        return found

    def _put(self, digest: bytes, label: Label, *, only: bool = False) -> None:
        known = None if only else self._known.get(digest)
        self._known[digest] = label if known is None else known.join(label)
        self._known.move_to_end(digest)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def said_of(request: Request) -> list[Said]:
    """The turns of a request as they are remembered."""
    return [_turn(one) for one in request.turns if one.role not in {"system", "developer"}]


def _turn(turn: Turn) -> Said:
    role = "assistant" if turn.role == "assistant" else "user"
    return role, "\n".join(found for part in turn.parts if (found := _text(part)))


def _text(part: Part) -> str:
    match part:
        case Text() | Refusal():
            return part.text
        case ToolCall():
            return texts_of(part.arguments)
        case ToolResult():
            return "\n".join(one.text for one in part.parts if isinstance(one, Text))
    return ""


def texts_of(json_text: str) -> str:
    """The texts in JSON one after the other, however it is spelled."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    rewritten(json_text, note)
    return "\n".join(found)
