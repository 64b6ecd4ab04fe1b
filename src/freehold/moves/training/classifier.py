"""The recipe `classifier`: softmax regression on hashed n-grams, calibrated on the latest lessons; in doubt, where it
helps, on a sentence encoder's vector too.

Penalties are tried on the older lessons and judged on the later ones, then all are fitted. A checkpoint is kept after
each fit; whatever was killed in between is fitted anew, so an interrupted job ends in the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import sqrt
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.evals.proof.risk import Promise, learn_whole
from freehold.moves.training import child
from freehold.moves.training.answers import Learned, learn
from freehold.moves.training.errors import BadOption, TooFewLessons
from freehold.moves.training.heads import Fitted, Stages, fit_head, sides
from freehold.moves.training.job import Job, Lesson, Trained, Workshop
from freehold.moves.training.opinion import MOST_ENCODED, Lessons, Manner, Opinion, Outcome, judged, second_opinion
from freehold.moves.training.softmax import calibration_error
from freehold.serving.linear import FORMAT, WITH_ENCODER, Description, Head, Indices, View, Vocabulary, save, text_of
from freehold.serving.ngrams import Floats, Hashes, Reading, ngrams

FILE = "classifier.safetensors"
BOUNDS = (0.01, 0.02, 0.03, 0.05, 0.1)
"""Mean losses of all calls for which the least confidence is told: where it is less sure, another answers."""
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
    features: Literal["auto", "ngrams", "both"] = "auto"
    """`both`: where n-grams leave doubt, a sentence encoder's vector is read too. `auto`: where that helps on the later
    lessons, and there are few enough to encode."""
    iterations: int = 40
    """Most of one fit."""
    joint: bool | None = None
    """True: whole answers are the labels; False: each varying leaf of the answer's JSON is; None decides by count."""


class _Data(msgspec.Struct, frozen=True):
    """Lessons whose answers were learned, as numbers."""

    learned: Learned
    vocabulary: tuple[Hashes, Floats]
    texts: list[str]
    rows: list[tuple[Indices, Floats]]
    labels: npt.NDArray[np.int64]
    """[lessons, heads]."""


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
    tried = _wants_encoder(shop.job, data, options)
    heads = len(data.learned.heads)
    stages = Stages(shop, heads * (len(options.penalties) + 1) * (1 + tried), options.iterations)
    plain = sides(data.rows, len(data.vocabulary[0]), options.held_out)
    fitted = [
        fit_head(plain, data.labels[:, index], len(values), options.penalties, stages, str(index))
        for index, values in enumerate(data.learned.heads)
    ]
    missing = sum(one is None for one in data.learned.labels) / len(lessons)
    labels = data.labels[plain.cut :]
    first = judged(fitted, labels, missing)
    opinion = _second(shop, data, options, stages, (first, missing)) if tried else None
    description = Description(
        format=FORMAT if opinion is None else WITH_ENCODER,
        reading=Reading(options.words, options.shortest, options.longest),
        view=options.view,
        heads=tuple(Head(v, one.temperature) for v, one in zip(data.learned.heads, fitted, strict=True)),
        shapes=data.learned.shapes,
        unseen=min(missing, 0.99),
        second=None if opinion is None else opinion.described,
        facts={"workflow": shop.job.workflow, "dataset": shop.job.dataset, "recipe": "classifier"},
    )
    hashes, idf = data.vocabulary
    tensors: dict[str, npt.NDArray[np.generic]] = {"hashes": hashes, "idf": idf}
    for prefix, made in (("", fitted), ("second.", opinion.fitted if opinion else ())):
        for index, one in enumerate(made):
            tensors[f"{prefix}weights.{index}"] = one.weights.astype(np.float16)
            tensors[f"{prefix}bias.{index}"] = one.bias
    shop.write(FILE, lambda path: save(path, description, tensors))
    metrics = _metrics(data, fitted, first, missing) if opinion is None else opinion.metrics | _metrics(
        data, opinion.fitted, opinion.outcome, missing)  # fmt: skip
    return shop.finish("safetensors", [FILE], metrics, uses_base=opinion is not None)


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
    return _Data(learned, vocabulary, texts, rows, labels)


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


def _wants_encoder(job: Job, data: _Data, options: Options) -> bool:
    """Is a second opinion tried? Raises BadOption where one is asked for and there is no encoder."""
    if options.features == "both" and job.base is None:
        raise BadOption("the classifier's options: features `both` need an encoder, and there is none")
    few = len(data.texts) <= MOST_ENCODED
    return job.base is not None and (options.features == "both" or (options.features == "auto" and few))


def _second(
    shop: Workshop, data: _Data, options: Options, stages: Stages, first: tuple[Outcome, float]
) -> Opinion | None:
    """The second opinion, where it helps; also where it does not, if it was asked for."""
    lessons = Lessons(data.texts, data.rows, len(data.vocabulary[0]), data.labels, data.learned.heads)
    opinion = second_opinion(shop, lessons, Manner(options.held_out, options.penalties), stages, *first)
    return opinion if opinion.helps or options.features == "both" else None


def _metrics(data: _Data, fitted: Sequence[Fitted], found: Outcome, missing: float) -> dict[str, object]:
    """On the later lessons, by models that have not seen them. Accuracy is of whole answers, and counts those that
    were not learned as wrong.
    """
    accuracy = float(found.right.mean()) * (1 - missing)
    low, high = wilson(accuracy, len(found.right))
    return {
        "accuracy": round(accuracy, 5),
        "accuracy_low": round(low, 5),
        "accuracy_high": round(high, 5),
        "held_out": len(found.right),
        "calibration_error": round(calibration_error(found.confidence, found.right), 5),
        "unseen": round(missing, 5),
        "labels": [len(head) for head in data.learned.heads],
        "ngrams": len(data.vocabulary[0]),
        "penalties": [one.penalty for one in fitted],
        "temperatures": [round(one.temperature, 4) for one in fitted],
        "trusted": _trusted(found),
    }


def _trusted(found: Outcome) -> list[dict[str, float]]:
    """For each bound, the confidence from which on the risk is proven to keep it: what a composite may escalate by."""
    losses = (~found.right).astype(np.float64).tolist()
    made = []
    for bound in BOUNDS:
        learned = learn_whole(found.confidence.tolist(), losses, Promise(bound=bound))
        if learned.value is not None:
            made.append({"bound": bound, "threshold": learned.value, "answers": round(learned.routed, 4)})
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
