"""Constants from points: least squares of the logarithm, held near what textbooks say by a prior.

Sources count alike however many points they have; far-off points count less than their square (Huber, 1964).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np

from freehold.planner.memory import Room, Serving, room
from freehold.planner.points import Point
from freehold.planner.regimes import Load, Reached, reached
from freehold.planner.roofline import Constants, Roofline
from freehold.planner.traffic import Floats

Prior = tuple[tuple[str, float], ...]
PRIOR: Prior = (
    ("compute", 0.35),
    ("compute_fp8", 0.25),
    ("compute_fp4", 0.35),
    ("compute_experts", 0.5),
    ("memory", 0.25),
    ("memory_experts", 0.12),
    ("reduce_seconds", 0.35),
    ("link", 0.3),
    ("step_seconds", 0.25),
    ("layer_seconds", 0.3),
    ("sequence_seconds", 0.5),
    ("amd", 0.25),
    ("slo_tpot", 0.2),
    ("slo_ttft", 0.4),
    ("slo_load", 0.1),
)
"""What is fitted, and the standard deviation of its logarithm before any point is seen."""
NOISE = 0.25
"""Standard deviation of one point's logarithm; submitters differ by 2 to 24 % on the same system."""
_FAR = 1.5
_SMALLEST = 0.02
_STEP = 0.03
_EACH = 60.0
"""How many independent points a source counts as, at most: points of one table share their errors."""
_MOST = {"compute": 0.95, "memory": 0.95, "slo_load": 1.0, "slo_tpot": 1.0, "slo_ttft": 1.0}


class Guess(msgspec.Struct, frozen=True):
    """A point with what is known before any constants: how it may be spread, and what fits then."""

    point: Point
    choices: tuple[tuple[Serving, Room, Load], ...]


def prepared(points: Sequence[Point]) -> list[Guess]:
    """Points with their rooms; those that do not fit by our reckoning keep no choice."""
    return [Guess(one, tuple(_choices(one))) for one in points]


def _choices(point: Point) -> Iterator[tuple[Serving, Room, Load]]:
    for spread in point.layouts:
        serving = msgspec.structs.replace(point.serving, layout=spread)
        space = room(serving)
        if space.fits:
            replicas = max(point.gpus / spread.gpus, 1.0)
            load = msgspec.structs.replace(point.load, concurrency=point.load.concurrency / replicas)
            yield serving, space, load


def estimated(guess: Guess, known: Constants) -> tuple[int, float, Reached] | None:
    """The best choice's number, output tokens a second of the whole system, and the operating point of a replica.
    None where nothing fits.
    """
    best: tuple[int, float, Reached] | None = None
    for number, (serving, space, load) in enumerate(guess.choices):
        found = reached(Roofline(serving, known), space, load)
        if found is None:
            continue
        total = found.output_tokens_per_second * max(guess.point.gpus / serving.layout.gpus, 1.0)
        if best is None or total > best[1]:
            best = number, total, found
    return best


def residuals(guesses: Sequence[Guess], known: Constants) -> Floats:
    """Logarithm of measured over estimated, for each; NaN where nothing fits."""
    found = np.full(len(guesses), np.nan)
    for number, guess in enumerate(guesses):
        best = estimated(guess, known)
        if best is not None:
            found[number] = math.log(guess.point.measured / best[1])
    return found


def fit_constants(
    points: Sequence[Point], start: Constants | None = None, progress: Callable[[float], None] | None = None
) -> Constants:
    """Constants that the points, and the prior around `start`, make most likely. With few points the prior decides."""
    guesses = [one for one in prepared(points) if one.choices]
    return (
        likeliest(guesses, start or Constants(), PRIOR, _shares(guesses) / NOISE**2, progress)
        if guesses
        else (start or Constants())
    )


def likeliest(
    guesses: Sequence[Guess],
    centre: Constants,
    prior: Prior,
    shares: Floats,
    progress: Callable[[float], None] | None = None,
) -> Constants:
    """The least squares themselves (Gauss-Newton, slopes by differences); `shares` are the points' precisions."""
    known, rounds = centre, 6
    names = [name for name, _ in prior]
    tight = np.array([1.0 / deviation**2 for _, deviation in prior])
    middle = np.log([getattr(centre, name) for name in names])
    for done in range(rounds):
        chosen = _settled(guesses, known)
        place = np.log([getattr(known, name) for name in names])
        rest = residuals(chosen, known)
        slopes = np.stack([(residuals(chosen, _moved(known, name)) - rest) / _STEP for name in names], axis=1)
        weight = shares / np.maximum(np.abs(rest) / (_FAR * NOISE), 1.0)
        left = slopes.T @ (slopes * weight[:, None]) + np.diag(tight)
        right = -slopes.T @ (rest * weight) - tight * (place - middle)
        change = np.clip(np.linalg.solve(left, right), -0.7, 0.7)
        known = _at(known, names, place + change)
        if progress is not None:
            progress((done + 1) / rounds)
        if float(np.abs(change).max()) < _SMALLEST:
            break
    return known


def _settled(guesses: Sequence[Guess], known: Constants) -> list[Guess]:
    """Each with its best choice alone: a round's slopes need not choose again."""
    found = []
    for guess in guesses:
        best = estimated(guess, known)
        number = best[0] if best is not None else 0
        found.append(Guess(guess.point, (guess.choices[number],)))
    return found


def _shares(guesses: Sequence[Guess]) -> Floats:
    """Weights: each system counts as the root of its points, each source as the root of its systems'."""
    systems = Counter(one.point.system for one in guesses)
    found = np.array([systems[one.point.system] ** -0.5 for one in guesses])
    sources = [one.point.source for one in guesses]
    for name in sorted(set(sources)):
        mask = np.array([one == name for one in sources])
        found[mask] *= _EACH / max(found[mask].sum(), _EACH)
    return found


def _moved(known: Constants, name: str) -> Constants:
    return msgspec.structs.replace(known, **{name: getattr(known, name) * math.exp(_STEP)})


def _at(known: Constants, names: Sequence[str], place: Floats) -> Constants:
    values = {name: math.exp(one) for name, one in zip(names, place, strict=True)}
    return msgspec.structs.replace(known, **{one: min(value, _MOST.get(one, value)) for one, value in values.items()})
