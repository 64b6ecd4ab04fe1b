"""What the guard speaks of: pieces of a message, findings in them, and rules that say what a finding leads to.

Positions are in characters (code points) of the piece's own text, as the model would read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from freehold.core.label import Label

Direction = Literal["in", "out"]
"""`in`: what goes to a model. `out`: what comes back from it."""

Source = Literal["system", "user", "assistant", "tool", "document"]
"""Who wrote a piece: `tool` is a tool's result, `document` a retrieved or attached text."""

Action = Literal["pass", "flag", "redact", "pseudonymise", "block", "raise", "ask"]
"""`pass` ignores it; `flag` writes it down; `redact` puts its kind in its place; `pseudonymise` puts a stand-in there
that is turned back in the answer; `block` refuses the call; `raise` joins the rule's label to the call's; `ask` holds
a tool call for a person. Every action but `pass` also writes the finding down."""


class Piece(msgspec.Struct, frozen=True):
    """One text of a message."""

    text: str
    source: Source = "user"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something found at `start:end` of a piece. It never holds the text itself."""

    detector: str
    kind: str
    """In capitals for what the text contains (`EMAIL`, `IBAN`), in lower case for what it does (`injection`)."""
    start: int
    end: int
    score: float = 1.0
    """In [0, 1]: how sure the detector is."""


class Detector(Protocol):
    """Finds one family of things. Stateless; the same text gives the same findings.

    A detector of places (`span > 0`) promises that whether something begins at `s`, and where it ends, depends only on
    `text[s - context : s + span + context]`, whatever lies before (findings may overlap): that is what lets a stream
    be released piece by piece with the very outcome of the whole text. `detectors/patterns.py` keeps it by
    construction, and says how much is `unsettled`: from there on more text may still change something; without that
    method the last `span + context` characters are held back. A detector of wholes (`span == 0`) judges a piece as one
    and reports it from its first to its last character. One of places that needs a wide view (a model of language)
    sets `windowed`: it is asked for fixed stretches of the text.
    """

    @property
    def name(self) -> str:
        """What rules call it."""

    @property
    def span(self) -> int:
        """Longest finding, in characters; 0 where it judges the whole piece."""

    @property
    def context(self) -> int:
        """Characters looked at on either side of a finding."""

    def find(self, piece: Piece) -> Sequence[Finding]:
        """Findings, by start. May raise anything: whoever drives it fails closed."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What findings of some kinds lead to, in some direction. The first rule that fits a finding decides."""

    detector: str
    kinds: tuple[str, ...] = ()
    """Empty for every kind of the detector."""
    directions: tuple[Direction, ...] = ("in", "out")
    sources: tuple[Source, ...] = ()
    """Empty for every source."""
    action: Action = "flag"
    label: Label | None = None
    """What `raise` joins to the call's label."""
    at_least: float = 0.5
    """Scores below it are passed."""


class Custom(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern of the owner's: a regular expression in RE2's syntax, or words."""

    name: str
    pattern: str = ""
    words: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a route's calls are scanned for: content of the `policy` snapshot, compiled by each gateway."""

    name: str
    rules: tuple[Rule, ...] = ()
    custom: tuple[Custom, ...] = ()
    on_failure: Literal["raise", "block"] = "raise"
    """What a detector that fails or is too slow leads to: the label is unknown, which no rented target may take; or
    the call is refused."""
    schema: Literal["pass", "flag", "block"] = "pass"
    """What an answer leads to that does not follow the JSON schema its caller asked for."""
    reroute_refusals: bool = False
    """Is what a rented model refused, asked of the next owned target of the plan that may take it?"""
    system: str = ""
    """A system text put before every call's own: behaviour policy of the owner's."""
