"""The five options of a workflow side by side: each with its best variant in full and all variants in short. Pure.

Invariant: all five are there. The best variant keeps the SLO, where one of an option's does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from freehold.planner.money import Outcome, npv, outcome
from freehold.planner.streams import Scene, Stream, shared, streams
from freehold.planner.types import OPTIONS, OptionKind


class Variant(msgspec.Struct, frozen=True):
    """One way to do an option. Money in the plan's currency."""

    name: str
    monthly: float
    """Median of a month, all in."""
    npv: float | None
    """Median; None where no saving is stated."""
    meets: bool
    why: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One option."""

    best: Outcome
    variants: tuple[Variant, ...]


class Compared(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The five options, and the streams of the best variants."""

    choices: tuple[Choice, ...]
    """In the order of `OPTIONS`."""
    streams: dict[OptionKind, Stream]

    def of(self, option: OptionKind) -> Outcome:
        """An option's best variant."""
        return self.choices[OPTIONS.index(option)].best


def compare(scene: Scene) -> Compared:
    """Everything about one workflow's five options."""
    found = streams(scene)
    return _compared(scene, {option: [one for one in found if one.option == option] for option in OPTIONS})


def together(scene: Scene, parts: Sequence[Compared], requests: Sequence[float]) -> Compared:
    """All workflows at once: for each option the sum of the best variants, and fleets that they share.

    `scene` is of the whole.
    """
    found = {option: [_sum(option, [one.streams[option] for one in parts], requests)] for option in OPTIONS}
    for one in shared(scene) if len(parts) > 1 else ():
        found[one.option].append(one)
    return _compared(scene, found)


def mix(scene: Scene, chosen: Sequence[Stream], nothing: Sequence[Stream], requests: Sequence[float]) -> Outcome:
    """All workflows, each by the option it was advised."""
    whole = _sum("nothing", nothing, requests)
    made = msgspec.structs.replace(_sum("hybrid", chosen, requests), variant="each as advised")
    return outcome(scene, made, whole)


def _compared(scene: Scene, found: dict[OptionKind, list[Stream]]) -> Compared:
    nothing = found["nothing"][0]
    choices, best = [], {}
    for option in OPTIONS:
        values = [(npv(scene, one, nothing), one) for one in found[option]]
        ordered = sorted(values, key=lambda pair: (not pair[1].meets, -float(np.median(pair[0])), pair[1].variant))
        best[option] = ordered[0][1]
        choices.append(
            Choice(
                best=outcome(scene, best[option], nothing),
                variants=tuple(_variant(one, values) for values, one in ordered),
            )
        )
    return Compared(choices=tuple(choices), streams=best)


def _variant(one: Stream, values: np.ndarray) -> Variant:
    total = one.monthly.sum(axis=1) + one.upfront + one.end
    return Variant(
        one.variant, float(np.median(total)) / one.monthly.shape[1], float(np.median(values)), one.meets, one.why
    )


def _sum(option: OptionKind, found: Sequence[Stream], requests: Sequence[float]) -> Stream:
    weights = np.asarray(requests) / max(sum(requests), 1e-12)
    return Stream(
        option=option,
        variant="; ".join(dict.fromkeys(one.variant for one in found)),
        parts=_added(one.parts for one in found),
        once=_added(one.once for one in found),
        end=np.sum([one.end for one in found], axis=0),
        passed=np.sum([one.passed * weight for one, weight in zip(found, weights, strict=True)], axis=0),
        spent=_added(one.spent for one in found),
        meets=all(one.meets for one in found),
        why="; ".join(dict.fromkeys(one.why for one in found if one.why)),
    )


def _added(found: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    added: dict[str, np.ndarray] = {}
    for one in found:
        for name, values in one.items():
            added[name] = added[name] + values if name in added else values
    return added
