"""The recipe `prompt`: few examples chosen to stand before every call of an owned chat model. Nothing is trained.

Chosen greedily by facility location (Nemhauser, Wolsey and Fisher 1978: within 1 - 1/e of the best): every lesson
should have an example near it, in wording and in answer. The same lessons give the same examples.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
import numpy as np

from freehold.gateway.few_shot import FewShot, Shot
from freehold.moves.training import child
from freehold.moves.training.errors import BadOption, TooFewLessons
from freehold.moves.training.job import Lesson, Progress, Trained, Workshop
from freehold.moves.training.rows import Rows
from freehold.serving.linear import Vocabulary, text_of
from freehold.serving.ngrams import Floats, Reading, ngrams

FILE = "few_shot.json"
BYTES_A_TOKEN = 3
"""Common vocabularies need about four bytes of English a token, fewer of other text: three errs to the safe side."""
_ALIKE = 0.5
"""What an equal answer adds to the likeness of two lessons (their wording gives 0 to 1)."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand in a job's options."""

    examples: int = 8
    most_tokens: int = 1024
    """Of all examples together, estimated."""
    most_lessons: int = 2000
    """The latest are looked at."""


def run(shop: Workshop) -> Trained:
    """Choose. Raises TooFewLessons, BadOption, BadArtefact, FileRefused."""
    try:
        options = msgspec.convert(shop.job.options, Options)
    except msgspec.ValidationError as error:
        raise BadOption(f"the prompt's options: {error}") from None
    if options.examples < 1 or options.most_tokens < 1:
        raise BadOption("the prompt's options: at least one example of at least one token")
    shop.resume()  # nothing is kept between runs: it takes seconds
    lessons = shop.lessons()[-options.most_lessons :]
    shots = [Shot(text_of(one.request.encode()), one.answer) for one in lessons]
    sizes = [tokens_of(one) for one in shots]
    if min(sizes, default=options.most_tokens + 1) > options.most_tokens:
        raise TooFewLessons(f"no lesson fits into {options.most_tokens} tokens")
    chosen, covered = choose(_likeness(lessons, shots), sizes, options.examples, options.most_tokens)
    for step, share in enumerate(covered, 1):
        shop.tell(Progress(step, len(covered), round(1 - share, 6), round(shop.seconds(), 3), "choose"))
    made = FewShot(
        workflow=shop.job.workflow,
        shots=tuple(shots[i] for i in sorted(chosen)),  # oldest first
        tokens=sum(sizes[i] for i in chosen),
    )
    shop.write(FILE, lambda path: path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"))
    metrics = {
        "examples": len(chosen),
        "tokens": made.tokens,
        "covered": round(covered[-1], 5),
        "lessons": len(lessons),
    }
    return shop.finish("json", [FILE], metrics)


def tokens_of(shot: Shot) -> int:
    """Estimated tokens of an example, with what its two turns add."""
    answer = shot.answer.text + "".join(one.name + one.arguments for one in shot.answer.tool_calls)
    return len((shot.asked + answer).encode()) // BYTES_A_TOKEN + 10


def choose(likeness: Floats, sizes: Sequence[int], count: int, most: int) -> tuple[list[int], list[float]]:
    """Up to `count` rows of `likeness` [n, n] whose sizes sum to at most `most`, best first.

    Beside them, after each, the share of all lessons' likeness to themselves that the chosen reach.
    """
    best = np.zeros(len(likeness), np.float32)
    whole = float(np.diagonal(likeness).sum()) or 1.0
    chosen: list[int] = []
    covered: list[float] = []
    left = most
    while len(chosen) < count:
        gains = np.maximum(likeness - best, 0).sum(axis=1)
        gains[chosen] = -1
        gains[[i for i, size in enumerate(sizes) if size > left]] = -1
        pick = int(gains.argmax())
        if gains[pick] <= 0:
            break
        chosen.append(pick)
        left -= sizes[pick]
        best = np.maximum(best, likeness[pick])
        covered.append(float(best.sum()) / whole)
    return chosen, covered


def _likeness(lessons: Sequence[Lesson], shots: Sequence[Shot]) -> Floats:
    reading = Reading()
    found = [ngrams(one.asked, reading)[0] for one in shots]
    hashes, counts = np.unique(np.concatenate(found), return_counts=True)
    idf = np.log((1 + len(shots)) / (1 + counts)).astype(np.float32) + np.float32(0.01)
    reader = Vocabulary(hashes, idf)
    rows = Rows([reader.vector(one.asked, reading) for one in shots], len(hashes))
    keys = {one.answer: i for i, one in enumerate(shots)}
    answers = np.array([keys[one.answer] for one in shots])
    same = (answers[:, None] == answers[None, :]).astype(np.float32)
    made: Floats = rows.gram() + np.float32(_ALIKE) * same
    return made


if __name__ == "__main__":
    sys.exit(child.main(run, __doc__))
