"""Guards for tests of the data plane: detectors whose findings are plain to see, and routes that name them."""

from __future__ import annotations

import json
import re

from freehold.core.label import Label, parse_label
from freehold.gateway.armed import Armed, House
from freehold.guard.profile import compile_profile
from freehold.guard.types import Finding, Piece, Profile, Rule
from tests.gateway.machine import Machine

EMAIL = "jane.doe@acme.example"
SECRETS_OF = parse_label("restricted:HIPAA")


class Emails:
    """Finds addresses."""

    name, version, kinds = "pii", "test", ("EMAIL",)
    span, context = 64, 64
    _form = re.compile(r"(?<![\w.@])[a-z.]{1,20}@[a-z]{1,20}\.[a-z]{2,9}(?![\w.@])")

    def find(self, piece: Piece) -> list[Finding]:
        return [
            Finding(detector=self.name, kind="EMAIL", start=one.start(), end=one.end())
            for one in self._form.finditer(piece.text)
        ]


class Words:
    """Finds words."""

    span, context = 32, 32
    version = "test"

    def __init__(self, name: str, **kinds: str) -> None:
        self.name = name
        self._kinds = kinds
        self.kinds = tuple(kinds)

    def find(self, piece: Piece) -> list[Finding]:
        found = [
            Finding(detector=self.name, kind=kind, start=one.start(), end=one.end())
            for kind, word in self._kinds.items()
            for one in re.finditer(word, piece.text)
        ]
        return sorted(found, key=lambda one: one.start)


class Broken:
    """Raises at one word; `always` where that is empty."""

    name, version, span, context = "broken", "test", 16, 16

    def __init__(self, word: str = "") -> None:
        self._word = word

    def find(self, piece: Piece) -> list[Finding]:
        if self._word in piece.text:
            raise RuntimeError("no detector is perfect")
        return []


WORDS = Words("words", PHI="patient", BAD="forbidden", OFFENDS="shameful", TAINT="ignore all before", PAN=r"\d{16}")
REFUSALS = Words("refusal", refusal="I'm sorry, but I can't|I cannot help")


def rule(action: str, detector: str = "pii", *kinds: str, **more) -> Rule:
    return Rule(detector=detector, kinds=kinds, action=action, **more)


def raising(kind: str = "PHI", label: Label = SECRETS_OF, **more) -> Rule:
    return rule("raise", "words", kind, label=label, **more)


def profile(*rules: Rule, **more) -> Profile:
    return Profile(name="test", rules=rules, **more)


def arm(machine: Machine, *rules: Rule, secret: bytes = b"t" * 32, broken: str = "", **more) -> Armed:
    """Put a guard with these rules on every route."""
    made = profile(*rules, **more)
    detectors = {one.name: one for one in (Emails(), WORDS, REFUSALS, Broken(broken))}
    house = House(machine.plane.sealer, lambda _: secret)
    refused = None
    if made.reroute_refusals:
        refused = lambda text: bool(REFUSALS.find(Piece(text, "assistant")))  # noqa: E731
    armed = Armed(compile_profile(made, detectors), house, refused)
    for path in machine.plane.table.paths.values():
        path.watch = armed
    machine.plane.table.watch_pins(armed)
    return armed


def scan_of(frame, side: str = "found") -> dict[str, int]:
    """What a frame says was found, by kind."""
    return {kind: count for _, kind, count in frame.scan.found}


def said(body: bytes) -> dict:
    return json.loads(body)
