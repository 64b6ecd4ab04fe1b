"""Deciding on a licence: what was recognised, who the licensee is, what the model is for, what the owner wants.

Invariant: what nobody knows or said is `review`, never `allow`; the strictest licence along a lineage counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from freehold.registry.gate.types import VERDICTS, Reason, Verdict, hardest
from freehold.registry.papers.expressions import parsed, permits
from freehold.registry.papers.terms import EUROPEAN_UNION, Terms, named
from freehold.registry.papers.types import Licence

NOBODY_SAYS = "NOASSERTION"
FIX = "say it in [licensee]"


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """What an artefact's licence was recognised as."""

    expression: str = NOBODY_SAYS
    """SPDX; `AND` where two places name two licences."""
    source: str = ""
    """Where it was read, as `Licence.source`; the strongest where several say the same."""
    said: tuple[str, ...] = ()
    """Every place that says something, in words: `card README.md: llama3.1`."""
    disagree: bool = False
    """Two places name different licences."""
    multimodal: bool | None = None
    """Takes pictures or sound too; None where nobody says."""
    name: str = ""
    """The model's name, for licences that ask what it begins with."""
    bases: tuple[str, ...] = ()
    """What it was made of: adapted, quantised, merged."""


class Licensee(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about whoever runs this installation; what is left out is unknown."""

    country: str = ""
    """ISO 3166-1 alpha-2 of its seat."""
    monthly_users: int | None = None
    """Of all its products together, affiliates included."""
    revenue_usd: int | None = None
    """US dollars a year."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about what owned models are for; None is unknown."""

    commercial: bool | None = None
    trains_on_outputs: bool | None = None
    """Answers of owned models train other models."""
    redistributes: bool | None = None
    """Weights, or what is made of them, leave the house."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner wants; entries name a licence by any of its names, or a kind: `research`."""

    refused: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """A person looks at each artefact under these."""
    read: tuple[str, ...] = ()
    """Licences whose text somebody here has read: rows that are not certain are then taken as they stand."""
    agreements: tuple[str, ...] = ()
    """Licences with whose makers there is an agreement of one's own: it stands in place of limits and exclusions."""
    unknown: Verdict = "review"
    """Of a licence nobody names or has a row of."""


class _Judged(msgspec.Struct, frozen=True):
    duties: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return hardest(self.reasons)


def decide(recognised: Recognised, licensee: Licensee, use: Use, policy: Policy) -> Licence:
    """What policy makes of a licence. Never raises: what cannot be read is `policy.unknown`."""
    tree = parsed(recognised.expression)
    if tree is None:
        said = f"{recognised.expression[:80]!r} is no licence expression"
        judged = _Judged(reasons=(_reason(policy.unknown, "expression", said),))
    else:
        judged = _walk(tree, _Case(recognised, licensee, use, policy))
    reasons = judged.reasons
    if recognised.disagree:
        said = f"places name different licences: {'; '.join(recognised.said)}"
        reasons = (*reasons, _reason("review", "disagree", said))
    return Licence(
        expression=recognised.expression,
        verdict=hardest(reasons),
        source=recognised.source,
        duties=judged.duties,
        reasons=tuple(f"{one.verdict}: {one.said}" for one in reasons),
        said=recognised.said,
        disagree=recognised.disagree,
    )


def strictest(licences: Sequence[Licence]) -> Licence:
    """Of an artefact and all it is made of, the artefact's own first: all of them bind it.

    The hardest verdict, every duty and reason once, and the expression of all. Raises ValueError for none.
    """
    own = licences[0]
    parts = _once(part for one in licences for part in _parts(one.expression))
    return Licence(
        expression=" AND ".join(parts) if len(licences) > 1 else own.expression,
        verdict=max((one.verdict for one in licences), key=VERDICTS.index),
        source=own.source,
        duties=_once(duty for one in licences for duty in one.duties),
        reasons=_once(reason for one in licences for reason in one.reasons),
        said=own.said,
        disagree=own.disagree,
    )


class _Case(msgspec.Struct, frozen=True):
    recognised: Recognised
    licensee: Licensee
    use: Use
    policy: Policy


def _walk(tree: Any, case: _Case) -> _Judged:
    """AND: all of it. OR: whatever asks least. A known exception (WITH) only permits more."""
    operator = getattr(tree, "operator", "").strip()
    if operator in ("AND", "OR"):
        parts = [_walk(one, case) for one in tree.args]
        if operator == "OR":
            return min(parts, key=lambda one: (VERDICTS.index(one.verdict), len(one.duties)))
        return _Judged(
            _once(duty for one in parts for duty in one.duties), _once(why for one in parts for why in one.reasons)
        )
    symbol = getattr(tree, "license_symbol", tree)
    judged = _one(str(symbol.key), case)
    if symbol is tree or permits(tree.exception_symbol.key):
        return judged
    said = f"{tree.exception_symbol.key[:80]} is no exception that is known: it may restrict"
    return _Judged(judged.duties, (*judged.reasons, _reason(case.policy.unknown, "exception", said)))


def _one(key: str, case: _Case) -> _Judged:
    terms = named().get(key.lower())
    if terms is None:
        said = _unsaid(case.recognised) if key == NOBODY_SAYS else f"there is no row of {key[:80]}"
        refused = key.lower() in _lower(case.policy.refused)
        return _Judged(reasons=(_reason("block" if refused else case.policy.unknown, "unknown", said),))
    return _Judged(tuple(_duties(terms, case)), tuple(_reasons(terms, case)))


def _reasons(terms: Terms, case: _Case) -> Iterator[Reason]:
    names = {*_lower(terms.names), terms.kind}
    if names & _lower(case.policy.refused):
        yield _reason("block", "refused", f"{terms.name} is refused by [models]")
    if names & _lower(case.policy.asked):
        yield _reason("review", "asked", f"{terms.name} is looked at by a person, by [models]")
    if not names & _lower(case.policy.agreements):
        yield from _grant(terms, case)
    settled = _lower((*case.policy.read, *case.policy.agreements))
    if terms.certainty != "high" and not names & settled:
        yield _reason("review", "uncertain", f"what is known of {terms.name} is not certain: read its text once")
    yield from _outputs(terms, case.use)
    yield from _derived(terms, case)


def _grant(terms: Terms, case: _Case) -> Iterator[Reason]:
    """Whether this licensee has the grant at all."""
    licensee, use = case.licensee, case.use
    if not terms.commercial and use.commercial is not False:
        if use.commercial:
            yield _reason("block", "commercial", f"{terms.name} is not for commerce")
        else:
            yield _reason("review", "commercial", f"{terms.name} is not for commerce; is this? {FIX}")
    if terms.above == "agreement":
        for limit, value, what in _limits(terms, licensee):
            if value is None:
                yield _reason(
                    "review", "limit", f"{terms.name} holds up to {limit:,} {what}; how many are there? {FIX}"
                )
            elif value > limit:
                yield _reason(
                    "block", "limit", f"above {limit:,} {what} {terms.name} takes an agreement with its maker"
                )
    if terms.excluded and not (terms.excluded_models == "multimodal" and case.recognised.multimodal is False):
        yield from _territory(terms, case)


def _territory(terms: Terms, case: _Case) -> Iterator[Reason]:
    country = case.licensee.country.upper()
    where = ", ".join(terms.excluded)
    if not country:
        yield _reason("review", "territory", f"{terms.name} grants nothing in {where}; where is your seat? {FIX}")
    elif country in terms.excluded or ("EU" in terms.excluded and country in EUROPEAN_UNION):
        if terms.excluded_models == "multimodal" and case.recognised.multimodal is None:
            said = f"{terms.name} grants nothing in {where} for multimodal models; is this one?"
            yield _reason("review", "territory", said)
        else:
            yield _reason("block", "territory", f"{terms.name} grants nothing to licensees in {where}")


def _outputs(terms: Terms, use: Use) -> Iterator[Reason]:
    """Whether answers may train, where they do."""
    if terms.outputs in ("allowed", "named", "derived") or use.trains_on_outputs is False:
        return
    said = {
        "not-llms": f"under {terms.name} answers must not train other language models",
        "no": f"under {terms.name} answers must not train models",
        "": f"whether answers may train models is not known of {terms.name}",
    }[terms.outputs]
    hard: Verdict = "block" if use.trains_on_outputs and terms.outputs else "review"
    yield _reason(hard, "outputs", said if use.trains_on_outputs else f"{said}; do they? {FIX}")


def _derived(terms: Terms, case: _Case) -> Iterator[Reason]:
    if not case.recognised.bases or case.use.redistributes is False:
        return
    name = case.recognised.name
    if terms.kind == "no-derivatives":
        hard: Verdict = "block" if case.use.redistributes else "review"
        yield _reason(hard, "derived", f"{terms.name} lets nothing that was changed be passed on")
    elif terms.prefix and case.use.redistributes and not _begins(name, terms.prefix):
        yield _reason("review", "name", f"what is made of it and passed on is named {terms.prefix} ..., not {name!r}")


def _unsaid(recognised: Recognised) -> str:
    bases = [one.partition(":")[0] for one in recognised.said if one.endswith(NOBODY_SAYS)]
    return f"nobody says under which licence {', '.join(bases) or 'it'} is: name it, or put its text beside it"


def _duties(terms: Terms, case: _Case) -> Iterator[str]:
    if terms.show:
        yield f"{terms.name}: {terms.show}"
    if terms.use_rules:
        yield f"{terms.name}, rules of use: {terms.use_rules}"
    # Who does not say how many has the duty: it costs less than to be wrong.
    above = any(value is None or value > limit for limit, value, _ in _limits(terms, case.licensee))
    if above and terms.above not in ("", "agreement"):
        yield f"{terms.name}: {terms.above}"
    if case.use.redistributes is not False:
        if terms.pass_on:
            yield f"{terms.name}, where it is passed on: {terms.pass_on}"
        if terms.prefix:
            yield f"{terms.name}, where what is made of it is passed on: its name begins with {terms.prefix}"
    if case.use.trains_on_outputs is not False:
        if terms.outputs == "named":
            yield f"{terms.name}, where answers train a model: name this one in its name or beside it"
        if terms.outputs == "derived":
            yield f"{terms.name}, where answers train a model: that one is under these terms too"


def _limits(terms: Terms, licensee: Licensee) -> Iterator[tuple[int, int | None, str]]:
    if terms.users is not None:
        yield terms.users, licensee.monthly_users, "monthly users"
    if terms.revenue_usd is not None:
        yield terms.revenue_usd, licensee.revenue_usd, "US dollars a year"


def _begins(name: str, prefix: str) -> bool:
    plain = "".join(one for one in name.lower() if one.isalnum())
    return plain.startswith("".join(one for one in prefix.lower() if one.isalnum()))


def _reason(verdict: Verdict, code: str, said: str) -> Reason:
    return Reason(verdict, f"licence.{code}", "", said)


def _lower(names: Iterable[str]) -> set[str]:
    return {one.lower() for one in names}


def _parts(expression: str) -> list[str]:
    """What AND joins; with brackets or OR in it, it stays one."""
    if "(" not in expression and " OR " not in expression:
        return expression.split(" AND ")
    whole = expression.startswith("(") and expression.endswith(")") and expression.count("(") == 1
    return [expression if whole else f"({expression})"]


def _once(found: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(found))
