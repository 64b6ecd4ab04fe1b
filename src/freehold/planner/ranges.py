"""How far an estimate may be off: half-widths of the logarithm, calibrated on sources that were not fitted to.

What is unlike most of the points (mixtures, other makers, no links) gets wider ranges; probes make them narrower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from freehold.planner.memory import Serving
from freehold.planner.roofline import Constants
from freehold.planner.traffic import Floats
from freehold.planner.types import Range

WIDEN = 1.1
"""Times what the points show: nominal 80 % bands cover less on tables of yet other makers."""
SHARE = 0.8
"""Of points between P10 and P90."""


class Widths(msgspec.Struct, frozen=True):
    """Half-widths of the 80 % band of the logarithm, for what is most like the points, by number of probes."""

    unprobed: float = 0.4
    one: float = 0.25
    two: float = 0.2

    def after(self, probes: int) -> float:
        """With so many probes."""
        return (self.unprobed, self.one, self.two)[min(probes, 2)]


class Known(msgspec.Struct, frozen=True):
    """Constants, and how far off estimates with them may be."""

    constants: Constants = Constants()
    widths: Widths = Widths()

    def half(self, one: Serving, probes: int = 0) -> float:
        """Half-width of the logarithm's 80 % band for an estimate of this."""
        return self.widths.after(probes) * strangeness(one, probes)


def strangeness(one: Serving, probes: int = 0) -> float:
    """How much wider the range is than for a dense public model on one maker's linked accelerators. A probe takes
    most of that away.
    """
    found = 1.0
    if one.shape.experts:
        found *= 1.6
    if one.shape.latent or one.shape.state_bytes:
        found *= 1.1
    if one.gpu.vendor != "nvidia":
        found *= 1.3
    if not one.gpu.link_bandwidth:
        found *= 1.4
    if one.shape.source == "sizes alone":
        found *= 1.4
    return found if not probes else found**0.5


def calibrated(scores: Sequence[tuple[str, float]]) -> float:
    """The half-width that covers the wanted share; `scores` are (source, |residual| over strangeness). A source counts
    as the root of its points, which share their errors.
    """
    names = [source for source, _ in scores]
    values = np.array([value for _, value in scores])
    counts = {name: names.count(name) for name in set(names)}
    weight: Floats = np.array([counts[name] ** -0.5 for name in names])
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(reached, SHARE)), len(values) - 1)])


def spread(value: float, half: float, source: str = "", as_of: str = "") -> Range:
    """A figure with its range."""
    return Range(value * math.exp(-half), value, value * math.exp(half), source, as_of)
