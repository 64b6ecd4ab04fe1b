"""Which workflow a request belongs to: content of the `workflows` snapshot, and the matcher it is compiled to.

A hit in the cache says what the full match would say: it is kept only where the bytes looked up decide the match.
"""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from collections.abc import Iterable

import msgspec
import numpy as np

from freehold.gateway.ports import Peek
from freehold.gateway.prompt import Prompt, prompt_of
from freehold.gateway.shingles import Shingler

LEAST_HELD = 0.6
"""A request follows a template where it holds that share of its grams in each role that has any."""
LEAST_LEAD = 1
"""By so many grams the best template must lead those of other workflows; else nobody is named."""
SET_LIKENESS = 0.5
"""Least Jaccard likeness of the tools offered, or of the schema's keys, to the template's."""

_ENTRIES = 4096
_LONGEST = 16_384
"""Bytes looked up at most: longer openings are matched in full each time."""
_DIGITS = bytes.maketrans(b"0123456789", b"0000000000")
_USER = re.compile(rb'"role"\s{0,4}:\s{0,4}"user"')
_LATER = (
    b'"system"', b'"developer"', b'"systemInstruction"', b'"instructions"', b'"tools"', b'"toolConfig"',
    b'"response_format"', b'"output_', b'"format"', b'"generationConfig"',
)  # fmt: skip
"""What decides the match and may stand after the first user's turn. Inside texts these read `\\"tools\\"`."""
_ASK = "?"


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """What requests of a workflow look like. Grams are packed little-endian 64-bit hashes."""

    workflow: str
    system: bytes = b""
    user: bytes = b""
    tools: tuple[str, ...] = ()
    """Names; `*` stands for any."""
    keys: tuple[str, ...] = ()
    """Of the JSON schema asked for; `*` stands for any."""
    count: int = 0


class Workflows(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the `workflows` snapshot."""

    templates: tuple[Template, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    """(name, id) of every workflow, also of those merged into another, which then leads there."""


class Matched(msgspec.Struct, frozen=True):
    """Outcome of a full match. `decided` means that the users' words could not have changed it."""

    workflow: str
    decided: bool = False


class _Held(msgspec.Struct, frozen=True):
    workflow: str
    system: frozenset[int]
    user: frozenset[int]
    tools: frozenset[str]
    keys: frozenset[str]


class Assigner:
    """Compiled workflows. Not safe for threads: one a process."""

    def __init__(self, content: Workflows) -> None:
        self._held = tuple(_compiled(one) for one in content.templates)
        self._names = dict(content.names)
        self._by_system = _index(self._held, system=True)
        self._by_user = _index(self._held, system=False)
        self._silent = tuple(number for number, one in enumerate(self._held) if not one.system)
        self._shingler = Shingler()
        self._cache: OrderedDict[bytes, str] = OrderedDict()

    def named(self, name: str) -> str:
        """Id of the workflow of a name; the name itself where there is none."""
        return self._names.get(name, name)

    def of(self, body: bytes, peek: Peek, key_id: str) -> str:
        """Id of the workflow of a request, empty for none. `body` is raw JSON of a chat dialect.

        Bodies that spell the names of members that decide with escapes may be taken for bodies without those members.
        """
        if not self._held:
            return ""
        opening = self._opening(body, exact=peek.tools or peek.structured)
        known = self._cache.get(opening, _ASK) if opening else _ASK
        if known != _ASK:
            self._cache.move_to_end(opening)
            return known
        found = self.match(prompt_of(body))
        if opening and found.decided:
            self._cache[opening] = found.workflow
            if len(self._cache) > _ENTRIES:
                self._cache.popitem(last=False)
        return found.workflow

    def match(self, prompt: Prompt) -> Matched:
        """The full match."""
        system = self._system_candidates(prompt)
        fitting = [one for one in system if _fits(self._held[one], prompt)]
        workflows = {self._held[one].workflow for one in fitting}
        if not fitting:
            return Matched("", decided=True)
        if len(workflows) == 1 and any(not self._held[one].user for one in fitting):
            return Matched(workflows.pop(), decided=True)
        return Matched(self._by_words(prompt, fitting))

    def _system_candidates(self, prompt: Prompt) -> Iterable[int]:
        """Templates whose system's part is held; where the system says nothing known, those without one.

        Under a system prompt that nobody knows, having no template is no likeness.
        """
        shared: dict[int, int] = defaultdict(int)
        for gram in self._shingler.of_system(prompt.system).tolist():
            for one in self._by_system.get(gram, ()):
                shared[one] += 1
        held = [one for one, count in shared.items() if count >= LEAST_HELD * len(self._held[one].system)]
        if held or not prompt.system:
            return held or self._silent
        return [one for one in self._silent if self._held[one].user]

    def _by_words(self, prompt: Prompt, fitting: list[int]) -> str:
        """The template that most of the prompt's grams speak for, where it leads those of other workflows."""
        wanted = set(fitting)
        shared = dict.fromkeys(fitting, 0)
        for gram in self._shingler.of_user(prompt.first, prompt.last).tolist():
            for one in self._by_user.get(gram, ()):
                if one in wanted:
                    shared[one] += 1
        system = set(self._shingler.of_system(prompt.system).tolist())
        best: dict[str, tuple[float, bool]] = {}
        for one, count in shared.items():
            held = self._held[one]
            score = 2.0 * (len(held.system & system) + count) - len(held.system) - len(held.user)
            follows = count >= LEAST_HELD * len(held.user)
            best[held.workflow] = max((score, follows), best.get(held.workflow, (score, follows)))
        ranked = sorted(best.items(), key=lambda one: (-one[1][0], one[0]))
        (workflow, (score, follows)), *others = ranked
        led = not others or score - others[0][1][0] >= LEAST_LEAD
        return workflow if follows and led else ""

    @staticmethod
    def _opening(body: bytes, *, exact: bool) -> bytes:
        """The bytes before the first user's turn and those after it that may decide; empty where they are too long.

        Digits are masked as in shingles, but not where tools or schemas, whose names they may be part of, are there.
        """
        found = _USER.search(body, 0, _LONGEST)
        if found is None:
            return b""
        start = found.start()
        later = [place for one in _LATER if (place := body.find(one, start)) >= 0]
        if exact:
            tail = body[min(later) :] if later else b""
            return b"" if len(tail) > _LONGEST else body[:start] + tail
        return b"" if later else body[:start].translate(_DIGITS)


def _fits(held: _Held, prompt: Prompt) -> bool:
    return _alike(held.tools, prompt.tools) and _alike(held.keys, prompt.keys)


def _alike(wanted: frozenset[str], given: tuple[str, ...]) -> bool:
    if not wanted or not given:
        return not wanted and not given
    if "*" in wanted or "*" in given:
        return True
    both = len(wanted.intersection(given))
    return both >= SET_LIKENESS * (len(wanted) + len(given) - both)


def _compiled(one: Template) -> _Held:
    return _Held(
        one.workflow,
        frozenset(unpacked(one.system)),
        frozenset(unpacked(one.user)),
        frozenset(one.tools),
        frozenset(one.keys),
    )


def unpacked(grams: bytes) -> list[int]:
    """Hashes out of their packed form."""
    found: list[int] = np.frombuffer(grams, "<u8").tolist()
    return found


def _index(held: tuple[_Held, ...], *, system: bool) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(held):
        for gram in one.system if system else one.user:
            found[gram].append(number)
    return {gram: tuple(numbers) for gram, numbers in found.items()}
