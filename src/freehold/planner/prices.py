"""What a rented model costs: contract first, then the price book, with a second source beside it.

Invariant: a price says where it comes from; where two sources differ by more than 1 % it is a range that says so.
"""

from __future__ import annotations

import statistics
from datetime import date

import msgspec

from freehold.planner import book
from freehold.planner.contract import Contract
from freehold.planner.errors import Unpriced
from freehold.planner.types import Range

DIFFERS = 0.01
"""Sources that agree within this share are one figure."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One source's figures, as it gives them. US dollars per million tokens."""

    what: str
    source: str
    as_of: str
    input: float
    output: float
    cached: float | None = None
    since: str = ""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs for this customer. US dollars per million tokens."""

    model: str
    """`provider/model`."""
    input: Range
    output: Range
    cached: Range
    """Of prompt tokens read from the provider's cache; the plain price where it has none."""
    tiers: dict[str, tuple[book.Tier, ...]] = {}
    sources: tuple[Source, ...] = ()
    discount: float = 0.0
    note: str = ""
    context: int = 0
    """Tokens of one call, in and out, that it takes; 0 where the book does not say."""
    assumed: bool = False
    """No source has the model: the range of the market stands in."""


def quote(model: str, when: date, contract: Contract, *, batch: bool = False) -> Quote:
    """The price of `provider/model` on a day. Raises Unpriced where neither contract nor book has it."""
    provider, slash, name = model.partition("/")
    own = next((one for one in contract.prices if one.model == model), None)
    if own is not None:
        told = Source(
            what="contract",
            source=own.source,
            as_of=own.as_of,
            input=own.input,
            output=own.output,
            cached=own.cached,
        )
        listed = book.listed(provider, name, when) if name else None
        found = _quote(model, [told], {}, 0.0, "the contract's own price stands before every list")
        return msgspec.structs.replace(found, context=listed.context if listed is not None else 0)
    if not slash or not name:
        raise Unpriced(f"{model!r} is not provider/model, such as openai/gpt-4o", param="model")
    first = book.listed(provider, name, when, batch=batch)
    if first is None or first.input is None:
        raise Unpriced(f"no price is known for {model}", hint=_near(provider, name, when), param="model")
    sources = [_source("list price" + (", batch" if first.batch else ""), first)]
    second = None if batch or provider == book.SECOND else book.listed(book.SECOND, model, when)
    if second is not None and second.input is not None and second.model.casefold() == model.casefold():
        sources.append(_source(f"list price at {book.SECOND}", second))
    discount = next((one.share for one in contract.discounts if one.provider == provider), 0.0)
    note = "" if not batch or first.batch else "the book has no batch price: the plain one stands"
    found = _quote(model, sources, first.tiers, discount, note)
    return msgspec.structs.replace(found, context=first.context)


def market(models: tuple[str, ...], when: date, note: str) -> Quote:
    """A stand-in for a model without a price: P10, P50 and P90 over the models of `models` that have one."""
    found = [one for name in models if (one := _tried(name, when)) is not None]
    if not found:
        raise Unpriced("the price book has no model to stand in")
    sides = [sorted(side) for side in ([one.input.p50 for one in found], [one.output.p50 for one in found])]
    ranges = [
        Range(_at(side, 0.1), statistics.median(side), _at(side, 0.9), f"{len(found)} models of the book", str(when))
        for side in sides
    ]
    return Quote(model="the market", input=ranges[0], output=ranges[1], cached=ranges[0], note=note, assumed=True)


def _tried(model: str, when: date) -> Quote | None:
    try:
        return quote(model, when, Contract())
    except Unpriced:
        return None


def _quote(
    model: str, sources: list[Source], tiers: dict[str, tuple[book.Tier, ...]], discount: float, note: str
) -> Quote:
    kept = 1.0 - discount
    plain = _range([one.input for one in sources], kept, sources)
    apart = [name for name in ("input", "output") if _apart([getattr(one, name) for one in sources])]
    if apart:
        note = "; ".join(part for part in (note, f"sources differ in {' and '.join(apart)}: the range is used") if part)
    with_cache = [one for one in sources if one.cached is not None]
    return Quote(
        model=model,
        input=plain,
        output=_range([one.output for one in sources], kept, sources),
        cached=_range([one.cached or 0.0 for one in with_cache], kept, with_cache) if with_cache else plain,
        tiers={side: tuple(book.Tier(one.start, one.price * kept) for one in steps) for side, steps in tiers.items()},
        sources=tuple(sources),
        discount=discount,
        note=note,
    )


def _range(values: list[float], kept: float, sources: list[Source]) -> Range:
    """The first source's figure; from least to most where they differ."""
    first = values[0]
    low, high = (min(values), max(values)) if _apart(values) else (first, first)
    told = "; ".join(dict.fromkeys(f"{one.source} ({one.what})" for one in sources))
    return Range(low * kept, first * kept, high * kept, told, sources[0].as_of)


def _apart(values: list[float]) -> bool:
    return max(values) - min(values) > DIFFERS * max(abs(one) for one in values)


def _source(what: str, one: book.Listed) -> Source:
    return Source(
        what=what,
        source=one.source,
        as_of=one.as_of,
        input=one.input or 0.0,
        output=one.output or 0.0,
        cached=one.cached,
        since=one.since,
    )


def _near(provider: str, name: str, when: date) -> str:
    """What may have been meant."""
    import difflib

    known = {f"{one.provider}/{one.model}" for one in book.everything(when)}
    near = difflib.get_close_matches(f"{provider}/{name}", sorted(known), n=3, cutoff=0.5)
    if near:
        return f"did you mean {', '.join(near)}? Or add it to [plan] prices in freehold.toml"
    return Unpriced.hint_text


def _at(ordered: list[float], share: float) -> float:
    """A quantile by the nearest rank."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
