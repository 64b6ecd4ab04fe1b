"""What the injection model is trained on: the development sources, harmless sources of other fields, our own grammars.

Each row has a source; rows of one source are never on both sides of a test. Every source's licence allows a trained
model to be shipped: `src/freehold/guard/detectors/model/README.md` lists them.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.injection_grammar import attacks, harmless, tongues
from bench.injection_model import Row

SHARED = Path(__file__).parents[2] / "shared" / "data"
SEED = 1
MOST = 3000
"""Rows of one source and label that are drawn."""
OWN = "own:"
"""Prefix of synthetic sources."""

_HARMLESS = (
    ("mmlu", "routing/routellm_mmlu.jsonl.gz", 700),
    ("gsm8k", "routing/routellm_gsm8k.jsonl.gz", 200),
    ("mt-bench", "routing/routellm_mt_bench.jsonl.gz", 160),
    ("hatecheck", "guardrails/toxicity_dev.jsonl.gz", 500),
    ("presidio-research", "guardrails/pii_dev.jsonl.gz", 400),
)
"""Source, file, rows drawn: texts that were collected for something else and attack nobody."""


def development(shared: Path = SHARED) -> list[Row]:
    """Rows of the development sources, at most MOST of each source and label."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for one in read(shared / "guardrails" / "injection_train.jsonl.gz"):
        row = Row(one["text"], int(one["label"]), one["source"])
        groups.setdefault((row.source, row.label), []).append(row)
    return [row for key in sorted(groups) for row in _drawn(groups[key], MOST, str(key))]


def elsewhere(shared: Path = SHARED) -> list[Row]:
    """Harmless rows of other fields."""
    rows: list[Row] = []
    for source, name, most in _HARMLESS:
        texts = {text for one in read(shared / name) for text in _texts(one)}
        rows += _drawn([Row(text, 0, source) for text in sorted(texts)], most, source)
    return rows


def written() -> list[Row]:
    """Rows of our own grammars: synthetic."""
    rows = [Row(text, 1, OWN + family) for family, text in attacks(120, SEED)]
    rows += [Row(text, 0, OWN + family) for family, text in harmless(400, SEED)]
    rows += [Row(text, label, OWN + tongue) for tongue, label, text in tongues(40, SEED)]
    return rows


def read(path: Path) -> Iterable[dict[str, Any]]:
    """JSON lines, compressed or not."""
    octets = path.read_bytes()
    for line in (gzip.decompress(octets) if path.suffix == ".gz" else octets).splitlines():
        if line.strip():
            yield json.loads(line)


def _texts(one: dict[str, Any]) -> list[str]:
    return [str(text) for text in one.get("turns") or [one.get("prompt") or one.get("text")]]


def _drawn(rows: list[Row], most: int, name: str) -> list[Row]:
    chance = random.Random(f"{SEED} {name}")
    rows = list(rows)
    for place in range(len(rows) - 1, 0, -1):
        other = int(chance.random() * (place + 1))
        rows[place], rows[other] = rows[other], rows[place]
    return rows[:most]
