"""Texts that arrive in chunks: what is released against the whole text's outcome, and what it gives away."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.guard_files import read
from bench.guard_pii import UNSTRUCTURED
from freehold.guard.profile import compile_profile
from freehold.guard.scanner import Scanner
from freehold.guard.types import Profile, Rule


def measure(folder: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the files `stream_*`, with all that `pii` finds redacted."""
    items = [one for _, one in read(folder, "stream_")]
    if not items:
        print("stream_*: no such file here")
        return {"stream_equal": None, "stream_leaked": None}
    guard = compile_profile(Profile(name="bench", rules=(Rule(detector="pii", action="redact"),)))
    missed: Counter[str] = Counter()
    held: list[int] = []
    equal, leaked, secrets, spent = 0, 0, 0, 0.0
    for one in items:
        began = time.process_time()
        out = _streamed(Scanner(guard, "assistant"), one["chunks"], held)
        spent += time.process_time() - began
        whole = Scanner(guard, "assistant").whole("".join(one["chunks"]))
        equal += out == whole
        kinds = {one["text"][start:end]: kind for start, end, kind in one["spans"]}
        hidden = [each for each in one["must_not_appear"] if kinds.get(each, "?") not in UNSTRUCTURED]
        gone = [each for each in hidden if each in out]
        secrets += len(hidden)
        leaked += sum(each not in whole for each in gone)
        missed.update(kinds.get(each, "?") for each in gone)
        rows.append({"id": one["id"], "bench": "stream", "prediction": out, "score": len(gone), "seconds": None})
    print(
        f"{equal} of {len(items)} as the whole text; {leaked} of {secrets} structured values given away by the split;"
    )
    print(f"not found at all: {sum(missed.values())} {dict(missed)}")
    print(f"held back after a chunk: {sorted(held)[len(held) // 2]} characters at the median, {max(held)} at most;")
    print(f"{spent * 1000 / len(held):.3f} ms a chunk")
    return {
        "stream_equal": equal / len(items),
        "stream_leaked": leaked,
        "stream_values": secrets,
        "stream_held_p50": sorted(held)[len(held) // 2],
        "stream_ms_per_chunk": spent * 1000 / len(held),
    }


def _streamed(scanner: Scanner, chunks: list[str], held: list[int]) -> str:
    out = []
    for chunk in chunks:
        out.append(scanner.feed(chunk))
        held.append(scanner.held)
    return "".join([*out, scanner.end()])
