"""Texts by small grammars of our own: attacks of publicly known families, harmless texts full of the words that attacks
use, and both in other languages. All in our own words, labelled synthetic; the same seed gives the same texts.

A `{slot}` of a form is drawn from the slot's ways, again and again. The grammars are in `bench/grammar/`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "grammar"
SLOT = re.compile(r"\{(\w+)\}")
_ESCAPED = re.compile(r"\\(.)")

MORE = {"trigger": 3, "pairs": 3}
"""Families that are drawn more often."""

Ways = Mapping[str, Sequence[str]]


def load(name: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Sections of a grammar: name -> ways."""
    sections: dict[str, dict[str, tuple[str, ...]]] = {}
    here: dict[str, tuple[str, ...]] = {}
    for line in (FOLDER / name).read_text("utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            here = sections.setdefault(line[1:-1], {})
            continue
        key, _, ways = line.partition(": ")
        here[key] = tuple(_ESCAPED.sub(_unescaped, way) for way in ways.split("¦"))
    return sections


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match.group(1) == "n" else match.group(1)


def grow(form: str, slots: Ways, chance: random.Random) -> str:
    """`form` with its slots filled, at most eight deep."""
    for _ in range(8):
        filled = SLOT.sub(lambda match: _pick(slots[match.group(1)], chance), form)
        if filled == form:
            break
        form = filled
    text = re.sub(r" {2,}", " ", form)
    return re.sub(r"([.!?])\.", r"\1", text).strip()


def _pick(ways: Sequence[str], chance: random.Random) -> str:
    return ways[int(chance.random() * len(ways))]


def careless(text: str, chance: random.Random) -> str:
    """As people type: sometimes in capitals or small letters, with a slip, without the stop."""
    luck = chance.random()
    if luck < 0.1:
        return text.upper()
    if luck < 0.28:
        return text.lower()
    if luck < 0.36 and len(text) > 20:
        at = 1 + int(chance.random() * (len(text) - 3))
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if luck < 0.44:
        return text.rstrip(".!?")
    return text[0].upper() + text[1:] if text else text


def attacks(count: int, seed: int) -> list[tuple[str, str]]:
    """(family, text): `count` of each family, without repeats."""
    grammar = load("attacks.txt")
    return _texts(grammar["forms"], grammar["slots"], count, seed)


def harmless(count: int, seed: int) -> list[tuple[str, str]]:
    """(family, text): `count` of each family, more of those with trigger words, without repeats."""
    grammar = load("harmless.txt")
    slots, forms = grammar["slots"], grammar["forms"]
    found: dict[str, str] = {}
    for family in sorted(forms):
        chance = random.Random(f"{seed} {family}")
        for index in range(count * MORE.get(family, 1)):
            form = forms[family][index % len(forms[family])]
            if family == "trigger":
                form = form.replace("{trigger}", slots["trigger"][index % len(slots["trigger"])])
            found.setdefault(careless(grow(form, slots, chance), chance), family)
    return [(family, text) for text, family in found.items()]


def tongues(count: int, seed: int) -> list[tuple[str, int, str]]:
    """(language, label, text): `count` attacks and as many harmless texts of each language, without repeats."""
    found: dict[str, tuple[str, int]] = {}
    for name, slots in sorted(load("tongues.txt").items()):
        for label, kind in ((0, "benign"), (1, "attack")):
            chance = random.Random(f"{seed} {name} {kind}")
            forms = slots[kind]
            for index in range(count):
                found.setdefault(careless(grow(forms[index % len(forms)], slots, chance), chance), (name, label))
    return [(name, label, text) for text, (name, label) in found.items()]


def _texts(forms: Ways, slots: Ways, count: int, seed: int) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for family in sorted(forms):
        chance = random.Random(f"{seed} {family}")
        for index in range(count):
            found.setdefault(careless(grow(forms[family][index % len(forms[family])], slots, chance), chance), family)
    return [(family, text) for text, family in found.items()]
