"""The recipe `classifier`: softmax regression on hashed n-grams, calibrated on the latest lessons.

Penalties are tried on the older lessons and judged on the later ones, then all are fitted. A checkpoint is kept after
each fit; whatever was killed in between is fitted anew, so an interrupted job ends in the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import sqrt

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.moves.training import child
from freehold.moves.training.answers import Learned, learn
from freehold.moves.training.errors import BadOption, TooFewLessons
from freehold.moves.training.job import Lesson, Progress, Trained, Workshop
from freehold.moves.training.rows import Rows
from freehold.moves.training.softmax import DUAL_MOST, Problem, calibration_error, fit, temperature
from freehold.serving.linear import Description, Head, Indices, View, Vocabulary, save, softmax, text_of
from freehold.serving.ngrams import Floats, Hashes, Reading, ngrams

FILE = "classifier.safetensors"
_FEWEST = 20
"""Lessons under which nothing can be held out to judge by."""
_COMMON = 0.9
"""An n-gram in more of the texts than this belongs to the prompt, not to what is asked."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand in a job's options."""

    view: View = "last_user"
    """Turns that are read."""
    words: int = 2
    shortest: int = 3
    longest: int = 5
    least_label: int = 2
    """Answers that occur more rarely are not learned; their share lowers all confidence."""
    least_ngram: int = 0
    """Texts an n-gram must occur in; 0 lets it grow with the lessons, from 2."""
    most_ngrams: int = 100_000
    most_lessons: int = 50_000
    """The latest are taken."""
    held_out: float = 0.2
    """Share of the latest lessons that choose the penalty and calibrate."""
    penalties: tuple[float, ...] = (1e-4, 3e-5, 1e-5, 3e-6)
    iterations: int = 40
    """Most of one fit."""
    joint: bool | None = None
    """True: whole answers are the labels; False: each varying leaf of the answer's JSON is; None decides by count."""


class _Data(msgspec.Struct, frozen=True):
    """Lessons as numbers: `older` (the last of them before `cut`) choose the penalty, `later` judge it."""

    learned: Learned
    vocabulary: tuple[Hashes, Floats]
    older: Rows
    later: Rows
    whole: Rows
    cut: int
    labels: npt.NDArray[np.int64]
    """[lessons, heads]."""


class _Fitted(msgspec.Struct, frozen=True):
    """One head."""

    weights: Floats
    bias: Floats
    penalty: float
    temperature: float
    scores: Floats
    """Of the later lessons, by the model that has not seen them."""


def options_of(raw: dict[str, object]) -> Options:
    """Read a job's options. Raises BadOption."""
    try:
        found = msgspec.convert(raw, Options)
    except msgspec.ValidationError as error:
        raise BadOption(f"the classifier's options: {error}") from None
    if not 0.05 <= found.held_out <= 0.5 or not found.penalties or min(found.penalties) <= 0:
        raise BadOption("the classifier's options: held_out must be .05 to .5, and penalties positive")
    if not 1 <= found.shortest <= found.longest <= 8 or not 1 <= found.words <= 4 or found.iterations < 1:
        raise BadOption("the classifier's options: n-grams of 1 to 8 characters and 1 to 4 words")
    return found


def run(shop: Workshop) -> Trained:
    """Train. Raises NothingToLearn, TooFewLessons, BadOption, BadArtefact, FileRefused."""
    options = options_of(shop.job.options)
    lessons = shop.lessons()[-options.most_lessons :]
    data = _read(lessons, options)
    ledger = _Stages(shop, options, len(data.learned.heads))
    fitted = [_fit_head(index, data, options, ledger) for index in range(len(data.learned.heads))]
    missing = sum(one is None for one in data.learned.labels) / len(lessons)
    description = Description(
        reading=Reading(options.words, options.shortest, options.longest),
        view=options.view,
        heads=tuple(Head(v, one.temperature) for v, one in zip(data.learned.heads, fitted, strict=True)),
        shapes=data.learned.shapes,
        unseen=min(missing, 0.99),
        facts={"workflow": shop.job.workflow, "dataset": shop.job.dataset, "recipe": "classifier"},
    )
    hashes, idf = data.vocabulary
    tensors: dict[str, npt.NDArray[np.generic]] = {"hashes": hashes, "idf": idf}
    for index, one in enumerate(fitted):
        tensors[f"weights.{index}"] = one.weights.astype(np.float16)
        tensors[f"bias.{index}"] = one.bias
    shop.write(FILE, lambda path: save(path, description, tensors))
    return shop.finish("safetensors", [FILE], _metrics(data, fitted, missing))


def _read(lessons: Sequence[Lesson], options: Options) -> _Data:
    if len(lessons) < _FEWEST:
        raise TooFewLessons(f"{len(lessons)} lessons are too few: {_FEWEST} are needed")
    learned = learn([one.answer for one in lessons], options.least_label, options.joint)
    if max(len(head) for head in learned.heads) < 2:
        raise TooFewLessons("all lessons have one answer: there is nothing to choose")
    kept = [i for i, one in enumerate(learned.labels) if one is not None]
    labels = np.array([learned.labels[i] for i in kept], np.int64)
    reading = Reading(options.words, options.shortest, options.longest)
    texts = [text_of(lessons[i].request.encode(), options.view) for i in kept]
    vocabulary = _vocabulary(texts, reading, options)
    reader = Vocabulary(*vocabulary)
    rows = [reader.vector(text, reading) for text in texts]
    cut = len(rows) - max(1, round(len(rows) * options.held_out))
    width = len(vocabulary[0])
    older, later, whole = Rows(rows[max(0, cut - DUAL_MOST) : cut], width), Rows(rows[cut:], width), Rows(rows, width)
    return _Data(learned, vocabulary, older, later, whole, cut, labels)


def _vocabulary(texts: Sequence[str], reading: Reading, options: Options) -> tuple[Hashes, Floats]:
    found = [ngrams(text, reading)[0] for text in texts]
    hashes, counts = np.unique(np.concatenate(found), return_counts=True)
    least = options.least_ngram or max(2, len(texts) // 2500)
    useful = (counts >= least) & (counts <= max(_COMMON * len(texts), least))
    hashes, counts = hashes[useful], counts[useful]
    if not len(hashes):
        raise TooFewLessons("the texts share no words: there is nothing to go by")
    if len(hashes) > options.most_ngrams:
        commonest = np.sort(np.argsort(-counts, kind="stable")[: options.most_ngrams])
        hashes, counts = hashes[commonest], counts[commonest]
    return hashes, (np.log((1 + len(texts)) / (1 + counts)) + 1).astype(np.float32)


class _Stages:
    """The fits of a job, in order; those a checkpoint holds are not run again."""

    def __init__(self, shop: Workshop, options: Options, heads: int) -> None:
        self._shop = shop
        self._most = options.iterations
        self._of = heads * (len(options.penalties) + 1) * options.iterations
        self._done: dict[str, Floats] = {}
        self._step = 0
        state = shop.resume()
        if state is not None:
            from safetensors.numpy import load

            self._done = dict(load(state))
            self._step = int(self._done.pop("step")[0])

    def fit(self, name: str, problem: Problem, begin: Floats | None, penalty: float) -> Floats:
        """The coordinates that the fit called `name` ends in."""
        if name in self._done:
            return self._done[name]

        def tell(iteration: int, loss: float) -> None:
            self._step += 1
            self._shop.tell(Progress(self._step, self._of, round(loss, 6), round(self._shop.seconds(), 3), name))

        made = fit(problem, begin, penalty, self._most, tell)
        from safetensors.numpy import save as pack

        self._done[name] = made
        self._shop.save(pack({**self._done, "step": np.array([self._step])}), self._step)
        return made


def _fit_head(index: int, data: _Data, options: Options, stages: _Stages) -> _Fitted:
    """Choose the penalty whose calibrated loss on the later lessons is least, then fit all lessons with it."""
    labels = data.labels[:, index]
    classes = len(data.learned.heads[index])
    problem = Problem(data.older, labels[data.cut - data.older.n : data.cut], classes, dual=True)
    later = labels[data.cut :]
    best: tuple[float, Floats, _Fitted] | None = None
    at: Floats | None = None
    for place, penalty in enumerate(options.penalties):
        at = stages.fit(f"{index}.{place}", problem, at, penalty)
        weights = problem.weights(at)
        scores = data.later.times(weights) + at[-1]
        heat = temperature(scores, later)
        odds = softmax(scores / np.float32(heat))[np.arange(len(scores)), later]
        loss = float(-np.log(np.maximum(odds, 1e-30)).mean())
        if best is not None and loss > best[0]:
            break  # penalties only get weaker: it fits the older lessons' noise from here on
        best = (loss, at, _Fitted(weights, at[-1], penalty, heat, scores))
    assert best is not None
    _, begin, chosen = best
    whole = Problem(data.whole, labels, classes, dual=data.whole.n <= DUAL_MOST)
    if not whole.dual:
        begin = np.vstack([chosen.weights, chosen.bias[None]])
    final = stages.fit(f"{index}.all", whole, begin, chosen.penalty)
    return msgspec.structs.replace(chosen, weights=whole.weights(final), bias=final[-1])


def _metrics(data: _Data, fitted: Sequence[_Fitted], missing: float) -> dict[str, object]:
    """On the later lessons, by models that have not seen them. Accuracy is of whole answers, and counts those that
    were not learned as wrong.
    """
    labels = data.labels[data.cut :]
    right = np.ones(len(labels), bool)
    confidence = np.full(len(labels), 1.0 - missing)
    for index, one in enumerate(fitted):
        right &= one.scores.argmax(axis=1) == labels[:, index]
        confidence *= _crossed(one.scores, labels[:, index])
    accuracy = float(right.mean()) * (1 - missing)
    low, high = wilson(accuracy, len(labels))
    return {
        "accuracy": round(accuracy, 5),
        "accuracy_low": round(low, 5),
        "accuracy_high": round(high, 5),
        "held_out": len(labels),
        "calibration_error": round(calibration_error(confidence, right), 5),
        "unseen": round(missing, 5),
        "labels": [len(head) for head in data.learned.heads],
        "ngrams": len(data.vocabulary[0]),
        "penalties": [one.penalty for one in fitted],
        "temperatures": [round(one.temperature, 4) for one in fitted],
    }


def _crossed(scores: Floats, labels: Indices) -> npt.NDArray[np.float64]:
    """Each half's confidence with the temperature the other half gave, so that calibration is not judged on itself."""
    made = np.empty(len(labels))
    halves = np.arange(len(labels)) % 2 == 0
    for half in (halves, ~halves):
        other = ~half if (~half).any() else half
        heat = temperature(scores[other], labels[other])
        made[half] = softmax(scores[half] / np.float32(heat)).max(axis=1)
    return made


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share of `n` (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


if __name__ == "__main__":
    sys.exit(child.main(run, __doc__))
