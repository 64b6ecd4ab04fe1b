"""May this record be used for this? The gate before every training set and evaluation set.

Unknown means no. `Cleared` can be made by `gate` and `clear_all` alone, so a training set that exists passed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Generic, Literal, TypeVar

import msgspec

from freehold.core.errors import BadRequest, RightsRefused
from freehold.core.label import Label, Level, parse_label
from freehold.policy.terms import TERMS, Purpose, Term, term

Thing = TypeVar("Thing")

Maker = Literal["vendor", "person", "owned", "synthetic"]
"""Who made the answer that is learned from: a rented model, a person (annotation or correction), an owned model,
or a program that made request and answer up. Persons' and programs' answers are under no vendor's terms."""

Use = Literal["evaluate", "prompt", "train_classifier", "train_generative"]
"""`prompt` puts answers before an owned model as examples: to terms that is no training, but the content stays."""

_SHOWN = 5
_VERBS: dict[Use, str] = {
    "evaluate": "be used to evaluate models",
    "prompt": "stand as examples in a prompt",
    "train_classifier": "train a classifier",
    "train_generative": "train a model that writes",
}
_KEY = object()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about one record."""

    id: str
    label: str = "unknown"
    """Sensitivity of the content, in the text form of `core.label`."""
    consent: bool | None = None
    """What the data's subject said, None where nobody asked."""
    maker: Maker = "vendor"
    vendor: str = ""
    """Of a vendor's answer: the offering, as terms name it."""
    licence: str = ""
    """Of an owned model's answer: the model's licence."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's written word on a party's terms; it wins over the table until it ends."""

    party: str
    purpose: Purpose
    allowed: bool
    reason: str
    by: str
    """The person who answers for it."""
    since: str
    """ISO date it was written."""
    until: str = ""
    """Last ISO date it holds; empty for no end."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner decided for this installation, beside the table of terms."""

    most_sensitive: Label = Label(Level.CONFIDENTIAL)
    """The most sensitive content that may be trained on. Regimes (GDPR, HIPAA) must be named to be allowed."""
    unlabelled: Label | None = None
    """How content without a label counts; None refuses it. It never lowers a label that is there."""
    consent_required: bool = False
    """With it, only a recorded yes lets content train; without, a recorded no forbids and silence does not:
    consent is one lawful basis of several, and which one holds is the owner's to know."""
    overrides: tuple[Override, ...] = ()
    terms: tuple[Term, ...] = TERMS


class Verdict(msgspec.Struct, frozen=True):
    """Allowed where `reasons` is empty. Each reason is a code and a sentence."""

    reasons: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> bool:
        """True where nothing forbids it."""
        return not self.reasons


class Refusal(msgspec.Struct, frozen=True):
    """One reason, with how many records it refuses and the first few of them. A record may have several reasons."""

    code: str
    detail: str
    count: int
    ids: tuple[str, ...]


class Cleared(Generic[Thing]):
    """Records that may be used for `purpose`, in the order they came. Only the gate makes it."""

    def __init__(self, key: object, items: Sequence[Thing], purpose: Use, on: str) -> None:
        """Raises TypeError for whoever is not the gate."""
        if key is not _KEY:
            raise TypeError("only the rights gate clears records: policy.rights.gate")
        self._items = tuple(items)
        self.purpose = purpose
        self.on = on
        """ISO date of the decision."""

    def __iter__(self) -> Iterator[Thing]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class Gated(msgspec.Struct, Generic[Thing], frozen=True):
    """What may be used, and why the rest may not, most frequent reason first."""

    cleared: Cleared[Thing]
    refused: int
    refusals: tuple[Refusal, ...]


def may(facts: Facts, purpose: Use, rules: Rules, today: date) -> Verdict:
    """Decide about one record, with every reason against it."""
    reasons: list[tuple[str, str]] = []
    if purpose != "evaluate":  # evaluating leaves nothing of the content behind
        reasons += _content(facts, rules)
    reasons += _answer(facts, "evaluate" if purpose == "prompt" else purpose, rules, today)
    return Verdict(tuple(reasons))


def gate(items: Iterable[tuple[Thing, Facts]], purpose: Use, rules: Rules, today: date) -> Gated[Thing]:
    """Let through what may be used and say why the rest may not."""
    passed: list[Thing] = []
    refused = 0
    found: dict[tuple[str, str], list[str]] = {}
    for item, facts in items:
        verdict = may(facts, purpose, rules, today)
        if verdict.allowed:
            passed.append(item)
            continue
        refused += 1
        for reason in verdict.reasons:
            found.setdefault(reason, []).append(facts.id)
    order = sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))
    refusals = tuple(Refusal(code, detail, len(ids), tuple(ids[:_SHOWN])) for (code, detail), ids in order)
    return Gated(Cleared(_KEY, passed, purpose, today.isoformat()), refused, refusals)


def clear_all(items: Iterable[tuple[Thing, Facts]], purpose: Use, rules: Rules, today: date) -> Cleared[Thing]:
    """The same, but all or nothing. Raises RightsRefused with the list of reasons."""
    gated = gate(items, purpose, rules, today)
    if gated.refused:
        raise RightsRefused(told(gated))
    return gated.cleared


def told(gated: Gated[Thing]) -> str:
    """The refusals as text for people: a line each, without content."""
    total = gated.refused + len(gated.cleared)
    lines = [f"{gated.refused} of {total} records may not {_VERBS[gated.cleared.purpose]}"]
    lines += [f"  {one.count} x {one.code}: {one.detail} (such as {', '.join(one.ids)})" for one in gated.refusals]
    return "\n".join(lines)


def _content(facts: Facts, rules: Rules) -> Iterator[tuple[str, str]]:
    if facts.consent is False:
        yield "consent", "consent was refused"
    elif facts.consent is None and rules.consent_required:
        yield "consent", "no consent is recorded, and [rights] asks for it"
    try:
        label = parse_label(facts.label)
    except BadRequest:
        yield "label", "its label cannot be read"
        return
    if label.level == Level.UNKNOWN:
        if rules.unlabelled is None:
            yield "label", "how sensitive it is was never said: label it, or set [rights] unlabelled"
            return
        label = Label(rules.unlabelled.level, rules.unlabelled.regimes | label.regimes)
    if not label.within(rules.most_sensitive):
        yield "label", f"{label} is more than [rights] most_sensitive allows ({rules.most_sensitive})"


def _answer(facts: Facts, purpose: Purpose, rules: Rules, today: date) -> Iterator[tuple[str, str]]:
    if facts.maker in ("person", "synthetic"):
        return
    name = facts.vendor if facts.maker == "vendor" else facts.licence and f"licence:{facts.licence}"
    if not name:
        yield "origin", "nobody recorded whose answer it is" if facts.maker == "vendor" else "its licence is unknown"
        return
    written = _override(name, purpose, rules, today)
    if written is not None:
        if not written.allowed:
            yield "terms", f"{name}: {written.by} wrote on {written.since}: {written.reason}"
        return
    row = term(name, purpose, rules.terms)
    if row is None:
        yield "terms", f"{name}: no row about this in the table of terms"
    elif row.certainty == "low":
        yield "terms", f"{name}: not certain enough ({row.reason}; {row.source}, {row.as_of})"
    elif not row.allowed:
        yield "terms", f"{name}: {row.reason} ({row.source}, {row.as_of})"


def _override(party: str, purpose: Purpose, rules: Rules, today: date) -> Override | None:
    """The newest that holds today; of two of one day, the one that forbids."""
    day = today.isoformat()
    held = [
        one
        for one in rules.overrides
        if one.party == party and one.purpose == purpose and one.since <= day and (not one.until or day <= one.until)
    ]
    return max(held, key=lambda one: (one.since, not one.allowed), default=None)
