"""Fitting the difficulty router: which prompts an owned model answers worse than the frontier, and what that is worth.

Invariant: a threshold or a figure is taken from prompts of which the heads saw no outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.evals.logistic import Floats, Rows, fit
from freehold.evals.proof.errors import BadProofValue
from freehold.evals.proof.risk import Promise, Threshold, learn
from freehold.gateway.routing.difficulty import PAIRS, WORDS, Head, Parameters, Scorer, Text, read

Folds = npt.NDArray[np.intp]
PENALTY = 1.0
"""Of the squared weights; between 0.7 and 1.5 the development sets differ by under 0.01 of APGR."""
FORM = 0.15
"""Spread that a measure of form is given beside the two word vectors, which have length 1."""
STILL = 0.25
"""Least spread taken of a measure: what hardly varied in fitting must not shout when it does in service."""
STEPS = 30
HELD = 2
"""Of every five prompts so many choose the threshold and measure; the others fit."""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Both models' scores, in [0, 1], on the same prompts. Raises BadProofValue where they are none."""

    prompts: tuple[str, ...]
    owned: tuple[float, ...]
    frontier: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.prompts) == len(self.owned) == len(self.frontier) > 0:
            raise BadProofValue(f"{len(self.prompts)} prompts, {len(self.owned)} and {len(self.frontier)} scores")
        if not all(0.0 <= one <= 1.0 for one in (*self.owned, *self.frontier)):
            raise BadProofValue("a score is outside [0, 1]")

    def of(self, which: Iterable[int]) -> Outcomes:
        """The same for some of the prompts."""
        prompts, owned, frontier = [], [], []
        for index in which:
            prompts.append(self.prompts[index])
            owned.append(self.owned[index])
            frontier.append(self.frontier[index])
        return Outcomes(prompts=tuple(prompts), owned=tuple(owned), frontier=tuple(frontier))

    @property
    def gain(self) -> Floats:
        """What the frontier scores above the owned model."""
        return np.subtract(self.frontier, self.owned, dtype=np.float64)


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted router with its honest figures."""

    parameters: Parameters
    threshold: Threshold
    """Learned on held-out prompts. Its `value` is a least ease, 1 - difficulty."""
    recovered: float | None
    """APGR on held-out prompts, 0.5 is chance; None where the frontier is not better on them."""
    fitted: int
    """Prompts the heads were fitted on."""

    @property
    def below(self) -> float | None:
        """`Composite.threshold`: the owned model is asked below this difficulty; None where nothing may be routed."""
        return None if self.threshold.value is None else 1.0 - self.threshold.value


def router(outcomes: Outcomes, promise: Promise) -> Router:
    """A router whose threshold keeps the promise: the mean loss of what goes to the owned model is at most the bound.

    The loss of a prompt is what the owned model scores less than the frontier. Every fifth prompt and the next choose
    the threshold, the other three fit, so pass them in an order that is not itself a pattern. Raises BadProofValue.
    """
    held = np.arange(len(outcomes.prompts)) % 5 < HELD
    if held.all():
        raise BadProofValue(f"{held.size} prompts are too few to fit on")
    known, kept = outcomes.of(np.flatnonzero(~held).tolist()), outcomes.of(np.flatnonzero(held).tolist())
    parameters = calibrated(known)
    scorer = Scorer(parameters)
    difficulty = np.array([scorer.difficulty(one) for one in kept.prompts])
    gain = kept.gain
    return Router(
        parameters=parameters,
        threshold=learn((1.0 - difficulty).tolist(), np.maximum(gain, 0.0).tolist(), promise),
        recovered=recovered_gap(difficulty, gain) if gain.sum() > 0.0 else None,
        fitted=len(known.prompts),
    )


def cross_fitted(outcomes: Outcomes, folds: Folds) -> Floats:
    """Score of each prompt (higher is harder) by heads fitted without its fold."""
    texts, scores = [read(one) for one in outcomes.prompts], np.zeros(len(outcomes.prompts))
    for fold in np.unique(folds):
        outside = np.flatnonzero(folds != fold).tolist()
        scorer = Scorer(heads([texts[index] for index in outside], outcomes.of(outside)))
        for index in np.flatnonzero(folds == fold).tolist():
            scores[index] = scorer.score_of(texts[index])
    return scores


def recovered_gap(scores: Floats, gain: Floats) -> float:
    """APGR: the share of the quality gap between the two models that is recovered, averaged over the cost curve.

    The hardest prompts go to the frontier first; area under the recovered gap against the share that goes there.
    Chance is 0.5. Source: Ong et al. 2024, "RouteLLM: learning to route LLMs with preference data". Raises
    BadProofValue where the frontier is not better on average.
    """
    gap = float(gain.sum())
    if gap <= 0.0:
        raise BadProofValue("the frontier model is not better on these prompts: there is no gap to recover")
    curve = np.concatenate([[0.0], np.cumsum(gain[np.argsort(-scores, kind="stable")])]) / gap
    return float(np.mean((curve[1:] + curve[:-1]) / 2.0))


def calibrated(outcomes: Outcomes) -> Parameters:
    """Heads fitted on all of them, with log odds of "the owned model is worse" as a line through the score.

    The line is fitted to scores cross-fitted in two halves, as heads are too sure of what they have seen. Platt 1999,
    "Probabilistic outputs for support vector machines".
    """
    scores = cross_fitted(outcomes, np.arange(len(outcomes.prompts)) % 2)
    single = Rows(starts=np.arange(scores.size + 1), columns=np.zeros(scores.size, np.intp), values=scores, width=1)
    slope, intercept = fit(single, (outcomes.gain > 0.0).astype(np.float64), 1e-2)
    fitted = heads([read(one) for one in outcomes.prompts], outcomes)
    # A falling line would send the hardest prompts to the weaker model: then the score says nothing.
    return msgspec.structs.replace(fitted, slope=max(float(slope[0]), 0.0), intercept=intercept)


def heads(texts: Sequence[Text], outcomes: Outcomes) -> Parameters:
    """Two heads, not calibrated: how well the frontier and how well the owned model answer.

    One head for the difference recovers 0.015 less of MMLU's gap: it cannot be low at both ends.
    """
    rarity = _rarity([one.words for one in texts], WORDS), _rarity([one.pairs for one in texts], PAIRS)
    form = np.array([one.measures for one in texts], np.float64)
    middle, spread = form.mean(axis=0), np.maximum(form.std(axis=0), STILL) / FORM
    dense = (form - middle) / spread
    count, wide = dense.shape
    blocks = (
        _unit([one.words for one in texts], rarity[0]),
        _unit([one.pairs for one in texts], rarity[1]),
        _Block(np.full(count, wide), np.tile(np.arange(wide), count), dense.ravel()),
    )
    rows = _joined(blocks, (WORDS, PAIRS, wide))

    def head(targets: Sequence[float]) -> Head:
        weights, bias = fit(rows, np.asarray(targets, np.float64), PENALTY, STEPS)
        words, pairs, measures = np.split(weights, (WORDS, WORDS + PAIRS))
        return Head(
            words=_packed(words * rarity[0]),
            pairs=_packed(pairs * rarity[1]),
            measures=tuple((measures / spread).tolist()),
            bias=bias - float(measures @ (middle / spread)),
        )

    return Parameters(
        owned=head(outcomes.owned),
        frontier=head(outcomes.frontier),
        word_rarity=_packed(rarity[0] ** 2),
        pair_rarity=_packed(rarity[1] ** 2),
    )


class _Block(msgspec.Struct, frozen=True):
    """Some columns of a sparse matrix: how many values each row has, where, and which."""

    lengths: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    values: Floats


def _rarity(documents: Sequence[Counter[int]], width: int) -> Floats:
    """Inverse document frequency, smoothed: `1 + ln((1 + n) / (1 + df))`."""
    keys = np.fromiter((key for one in documents for key in one), np.intp)
    found: Floats = 1.0 + np.log((1.0 + len(documents)) / (1.0 + np.bincount(keys, minlength=width)))
    return found


def _unit(documents: Sequence[Counter[int]], rarity: Floats) -> _Block:
    """Rows `(1 + ln count) * rarity`, each of length 1."""
    lengths = np.fromiter(map(len, documents), np.intp, len(documents))
    columns = np.fromiter((key for one in documents for key in one), np.intp)
    counts = np.fromiter((count for one in documents for count in one.values()), np.float64)
    values = (1.0 + np.log(counts)) * rarity[columns]
    rows = np.repeat(np.arange(len(documents)), lengths)
    norms = np.sqrt(np.bincount(rows, values**2, len(documents)))
    return _Block(lengths, columns, values / norms[rows])


def _joined(blocks: Sequence[_Block], widths: Sequence[int]) -> Rows:
    """Blocks of columns side by side."""
    offsets = np.concatenate([[0], np.cumsum(widths)])
    rows = np.concatenate([np.repeat(np.arange(one.lengths.size), one.lengths) for one in blocks])
    turn = np.argsort(rows, kind="stable")
    columns = np.concatenate([one.columns + offsets[place] for place, one in enumerate(blocks)])[turn]
    total = np.sum([one.lengths for one in blocks], axis=0)
    return Rows(
        starts=np.concatenate([[0], np.cumsum(total)]),
        columns=columns,
        values=np.concatenate([one.values for one in blocks])[turn],
        width=int(offsets[-1]),
    )


def _packed(values: Floats) -> bytes:
    return values.astype("<f4").tobytes()
