"""Recognising an artefact's licence: what a person says, its card, the text beside it, its weights, what it is made of.

Invariant: what any place says binds; places that differ, and a text that is not understood whole, go to a person.
"""

from __future__ import annotations

import csv
import fnmatch
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from freehold.registry.papers.cards import Card, read_card
from freehold.registry.papers.embedded import metadata
from freehold.registry.papers.expressions import parsed, spdx_key
from freehold.registry.papers.licences import NOBODY_SAYS, Recognised
from freehold.registry.papers.terms import known, named

UNREAD = "LicenseRef-unread"
"""Of a text beside the weights that is none we know, or says more than the one it begins as."""
_FILE = re.compile(r"(un)?licen[cs]e|copying|copyright", re.IGNORECASE)
_WEIGHTS = (".gguf", ".safetensors")
_TEXT_BYTES = 1 << 20
_WORD = re.compile(r"[^a-z0-9]+")
_NARROWING = re.compile(
    r" (non ?commercial|commercial (use|purposes?)|(research|academic|evaluation|personal|educational) (use|purposes?)"
    r"|(may|must|shall) not (be )?used? (it |them )?(for|by|in|to (train|create|develop))|monthly (active )?users"
    r"|(annual|monthly) revenue|military|weapons?|prohibited uses?|acceptable use|domiciled|competing"
    r"|commons clause|right to sell|good not evil|use based|use restrictions|solely for|not permitted|no right to) "
)
"""Words of clauses that no open licence has: one that has them was changed."""
_OVER, _MORE, _SHORT = 1.1, 80, 2000
"""How many words a text may have over the licence's own: notices, names and addresses, but no further clause."""


class Claim(msgspec.Struct, frozen=True):
    """What one place says."""

    source: str
    where: str
    expression: str

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.where or self.source}: {self.expression}"


class Phrases(msgspec.Struct, frozen=True):
    """How a licence's text is known: words it has, words it has not, and how long it is (0: unknown)."""

    id: str
    having: tuple[str, ...]
    without: tuple[str, ...]
    words: int


def recognise(root: Path, *, given: str = "", name: str = "", bases: Mapping[str, str] | None = None) -> Recognised:
    """The licence of a file or folder. `given` is what a person says.

    `bases` are what it is known to be made of, with their licences as SPDX, empty where unknown.
    Never raises for what the files hold: what cannot be read says nothing.
    """
    card = read_card(root)
    weights = {one.name: metadata(one) for one in _weights(root)}
    read = (*card.bases, *(base for found in weights.values() for base in _bases(found)))
    made_of = _made_of(dict.fromkeys(read), bases or {})
    own_claims = tuple(_claims(root, card, weights, given))
    claims = [*own_claims, *_inherited(made_of)]
    own = tuple(dict.fromkeys(one.expression for one in own_claims))
    # Whoever made it of something else and says nothing has granted nothing of what they added.
    parts = dict.fromkeys((*(own or (NOBODY_SAYS,)), *(one.expression for one in claims)))
    return Recognised(
        expression=" AND ".join(f"({one})" if " OR " in one and len(parts) > 1 else one for one in parts),
        source=claims[0].source if claims else "",
        said=tuple(one.said for one in claims),
        disagree=len({frozenset(re.findall(r"[\w.+-]+", one)) for one in own}) > 1,
        multimodal=card.multimodal,
        name=name or root.stem,
        bases=tuple(made_of),
    )


def spelt(claim: str) -> str:
    """A licence as somebody wrote it, as an SPDX expression of names we have rows of, where it can be.

    `Apache License, Version 2.0`, `apache-2.0` and `Apache-2.0` are one. Else `LicenseRef-...` of the words.
    """
    found = named().get(claim.strip().lower()) or _titles().get(_title(claim))
    if found is not None:
        return found.ref
    return _expression(claim) or "LicenseRef-" + (_WORD.sub("-", claim.lower()).strip("-")[:60] or "unnamed")


def licence_of_text(text: str) -> str:
    """The licences of a text, joined by AND; `LicenseRef-unread` too, where it is none or says more than they do."""
    plain = _plain(text)
    matches = [
        one for one in _phrases() if all(p in plain for p in one.having) and not any(p in plain for p in one.without)
    ]
    refs = dict.fromkeys(named()[one.id].ref for one in matches)
    whole = [one for one in matches if one.words]
    long = plain.count(" ") + 1 > sum(one.words for one in whole) * _OVER + _MORE
    short = all(0 < one.words < _SHORT for one in matches)  # longer ones tell what they are not about
    if not refs or (long and len(whole) == len(matches)) or (short and _NARROWING.search(f" {plain} ")):
        refs[UNREAD] = None
    return " AND ".join(refs)


def _made_of(read: Mapping[str, None], told: Mapping[str, str]) -> dict[str, str]:
    """What it says it is made of, and what a person says. Names nobody knows are taken for what the person named."""
    unknown = [one for one in read if one not in told and licence_of_base(one) == NOBODY_SAYS]
    settled = sum(bool(one) for one in told.values()) >= len(unknown)
    return {**{one: "" for one in read if not (settled and one in unknown)}, **told}


def _claims(root: Path, card: Card, weights: dict[str, dict[str, str]], given: str) -> Iterator[Claim]:
    if given.strip():
        yield Claim("given", "", spelt(given))
    for one in card.licences:
        yield Claim("card", "README.md", spelt(one))
    for path in _texts(root):
        yield Claim("file", path.name[:80], licence_of_text(path.read_bytes()[:_TEXT_BYTES].decode("utf-8", "replace")))
    for name, found in weights.items():
        said = found.get("general.license") or found.get("license") or ""
        if said.strip():
            yield Claim("file", f"metadata of {name[:80]}", spelt(said))


def licence_of_base(name: str) -> str:
    """The licence under which a well-known model comes, by its name on its hub; `NOASSERTION` for others."""
    row = next((row for row in _rows("families") if fnmatch.fnmatchcase(name.lower(), row["pattern"])), None)
    return named()[row["licence"]].ref if row else NOBODY_SAYS


def _inherited(bases: Mapping[str, str]) -> Iterator[Claim]:
    """A base whose licence is unknown says so: what is made of it is bound by it all the same."""
    for base, known_as in bases.items():
        yield Claim("base", f"base {base[:80]}", known_as or licence_of_base(base))


def _bases(found: dict[str, str]) -> Iterator[str]:
    """What a GGUF file says it was made of, as `owner/name` of its address."""
    for key, value in found.items():
        if key.startswith("general.base_model.") and key.endswith(".repo_url"):
            parts = value.rstrip("/").rsplit("/", 2)
            if len(parts) == 3:
                yield "/".join(parts[1:])


def _texts(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [one for one in sorted(root.iterdir()) if _FILE.match(one.name) and one.is_file() and not one.is_symlink()]


def _weights(root: Path) -> list[Path]:
    """The first of many shards speaks for all."""
    found = [root] if root.is_file() else sorted(one for one in root.iterdir() if one.suffix in _WEIGHTS)
    return found[:4]


def _expression(claim: str) -> str:
    """Normalised, where it is an expression of known names throughout; else empty."""
    tree = parsed(claim)
    if tree is None:
        return ""
    for symbol in tree.symbols:
        for one in symbol.decompose():
            row = named().get(one.key.lower())
            one.key = row.ref if row else spdx_key(one.key)
            if not one.key:
                return ""
    return str(tree)


@cache
def _titles() -> dict[str, Any]:
    return {_title(text): one for one in known() for text in (*one.names, one.name)}


def _title(text: str) -> str:
    """Without what people leave out or put in: `the`, `license`, `version`."""
    words = re.sub(r"\bv(?=\d)", "", text.lower())
    dropped = ("the", "licence", "license", "licensed", "under", "version", "agreement")
    return "".join(word for word in re.split(r"[^a-z0-9.]+", words) if word not in dropped)


def _plain(text: str) -> str:
    return " ".join(_WORD.split(text.lower())).strip()


@cache
def _phrases() -> tuple[Phrases, ...]:
    return tuple(
        Phrases(
            row["id"],
            tuple(row["all"].split(" | ")),
            tuple(row["none"].split(" | ")) if row["none"] else (),
            int(row["words"] or 0),
        )
        for row in _rows("licence_phrases")
    )


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    text = resources.files("freehold.registry").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
