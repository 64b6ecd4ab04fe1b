"""`python -m bench.discovery [--log F --truth F] [--rows FILE]`: how well and how fast workflows are found, unlabelled.

The log is gzip or plain JSON lines with `id`, `ts`, `request` and `response`; whatever else stands in it is hidden.
Time and memory are measured on 100,000 requests: the log again and again with other ids, numbers and stray words.
The last line is JSON. `--messy` also runs the synthetic logs of `bench.messy_logs` against a plain recipe.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.kept import keep
from bench.messy_logs import LOGS, Call, calls
from freehold.gateway.assign import Assigner, Workflows
from freehold.gateway.dialects.openai_chat import OpenAiChat
from freehold.gateway.prompt import prompt_of
from freehold.workflows.grouping import Found, group
from freehold.workflows.outlines import outlines

FOLDER = Path(__file__).parents[1].parent / "shared" / "data" / "workflows"
SCALE = 100_000


class Line(msgspec.Struct):
    """One line of a log."""

    id: str
    ts: str
    request: msgspec.Raw
    response: msgspec.Raw = msgspec.Raw(b"")


_line = msgspec.json.Decoder(Line)


class Log:
    """A log file as a source: read from its start each time, one line in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self) -> Iterator[Call]:
        """Every call."""
        for one in self.lines():
            yield _call(one)

    def some(self, ids: Iterable[bytes]) -> Iterator[Call]:
        """Those of some ids."""
        wanted = frozenset(ids)
        for one in self.lines():
            if key(one.id) in wanted:
                yield _call(one)

    def lines(self) -> Iterator[Line]:
        """Every line."""
        opened = gzip.open if self._path.suffix == ".gz" else open
        with opened(self._path, "rb") as file:
            for line in file:
                yield _line.decode(line)


class Held:
    """Calls in memory as a source."""

    def __init__(self, found: Sequence[Call]) -> None:
        self._found = found

    def records(self) -> Iterator[Call]:
        """Every call."""
        return iter(self._found)

    def some(self, ids: Iterable[bytes]) -> Iterator[Call]:
        """Those of some ids."""
        wanted = frozenset(ids)
        return (one for one in self._found if one.id in wanted)


def key(name: str) -> bytes:
    """A record's id out of a line's."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def _call(one: Line) -> Call:
    return Call(key(one.id), datetime.fromisoformat(one.ts).timestamp(), bytes(one.request), bytes(one.response))


def _table(found: Sequence[Any], truth: Sequence[Any]) -> np.ndarray[Any, Any]:
    rows, columns = np.unique(found, return_inverse=True)[1], np.unique(truth, return_inverse=True)[1]
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    return table


def ari(found: Sequence[Any], truth: Sequence[Any]) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985)."""
    table = _table(found, truth)

    def pairs(counts: np.ndarray[Any, Any]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, mine, its = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    expected = mine * its / pairs(np.array([table.sum()]))
    most = (mine + its) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def v_measure(found: Sequence[Any], truth: Sequence[Any]) -> float:
    """Harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007)."""
    table = _table(found, truth) / len(truth)

    def entropy(shares: np.ndarray[Any, Any]) -> float:
        some = shares[shares > 0]
        return float(-(some * np.log(some)).sum())

    both, mine, its = entropy(table), entropy(table.sum(1)), entropy(table.sum(0))
    homogeneity = 1.0 if its == 0 else 1 - (both - mine) / its
    completeness = 1.0 if mine == 0 else 1 - (both - its) / mine
    return 2 * homogeneity * completeness / (homogeneity + completeness) if homogeneity + completeness else 0.0


def scale_up(log: Path, out: Path, most: int = SCALE) -> None:
    """Write the log again and again until it has `most` lines: other ids, other numbers, a stray word in half of it."""
    draw = random.Random(1)
    with gzip.open(log, "rt") if log.suffix == ".gz" else log.open() as file:
        lines = [json.loads(one) for one in file]
    with out.open("w") as file:
        for number in range(most):
            one = lines[number % len(lines)]
            if number >= len(lines):
                one = {**one, "id": f"{one['id']}-{number}", "request": varied(one["request"], draw)}
            file.write(json.dumps({name: one.get(name) for name in ("id", "ts", "request", "response")}) + "\n")


def varied(request: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The same request as somebody else would send it on another day."""
    messages = []
    for one in request["messages"]:
        text = one.get("content")
        if isinstance(text, str):
            text = re.sub(r"\d", lambda _: str(draw.randint(0, 9)), text)
            if one["role"] == "user" and draw.random() < 0.5:
                words = text.split(" ")
                words.insert(draw.randint(0, len(words)), f"x{draw.getrandbits(24):x}z".translate(_LETTERS))
                text = " ".join(words)
        messages.append({**one, "content": text})
    return {**request, "messages": messages}


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def timed(path: Path) -> tuple[float, float, float]:
    """What finding the workflows of a file takes, in a process of its own.

    Seconds on the clock and of the processor, both for 100,000 requests, and peak megabytes.
    """
    code = (
        "import sys, time, json; from pathlib import Path; from bench.discovery import Log, peak; "
        "from freehold.workflows.grouping import group; begun = time.perf_counter(); "
        "found = group(Log(Path(sys.argv[1]))); "
        "spent = [time.perf_counter() - begun, time.process_time(), peak()]; "
        "print(json.dumps([*spent, len(found.groups), len(found.mined.at)]))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True).stdout
    seconds, used, megabytes, groups, count = json.loads(told)
    print(f"{count:,} requests: {seconds:.1f} s, {used:.1f} s of one core, {megabytes:.0f} MB, {groups} workflows")
    return seconds * SCALE / count, used * SCALE / count, megabytes


def peak() -> float:
    """The most memory this process has had, in megabytes. Its `ru_maxrss` would be at least that of its parent."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def told(found: Found, truth: Sequence[str]) -> None:
    """What each group found holds."""
    of = np.array(truth)
    for number in range(len(found.groups)):
        names, counts = np.unique(of[found.label == number], return_counts=True)
        held = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        print(
            f"  {number:3} {int(counts.sum()):7} requests  {'chat ' if found.loose[number] else '     '} {held}"[:160]
        )


def assignment(found: Found, source: Log) -> dict[str, float]:
    """Microseconds of assigning a call, by the cache and in full, and how often that says what discovery did."""
    templates = tuple(
        msgspec.structs.replace(one, workflow=str(number))
        for number, mine in enumerate(outlines(found))
        for one in mine
    )
    assigner, dialect = Assigner(Workflows(templates=templates)), OpenAiChat()
    bodies = [one.request for one in source.records()]
    begun = time.process_time()
    matched = [assigner.match(prompt_of(one)).workflow for one in bodies]
    full = (time.process_time() - begun) / len(bodies) * 1e6
    same = sum(one == str(label) for one, label in zip(matched, found.label.tolist(), strict=True)) / len(bodies)
    hits = [one for one in bodies[:200] if assigner.match(prompt_of(one)).decided]
    cached = 0.0
    if hits:
        body, peek = hits[0], dialect.peek(hits[0])
        cached = min(timeit.repeat(lambda: assigner.of(body, peek, ""), number=2000, repeat=7)) / 2000 * 1e6
        print(f"assigned by the cache in {cached:.1f} us (a body of {len(body)} bytes), ", end="")
    print(f"in full in {full:.0f} us; as discovery says in {same:.2%}")
    return {"cached_us": round(cached, 1), "full_us": round(full, 1), "assigned_alike": round(same, 4)}


def messy() -> dict[str, dict[str, float]]:
    """ARI of each synthetic log, by this code and by the plain recipe."""
    from bench.plain_recipe import plain

    result = {}
    for name, _ in LOGS:
        found, truth = calls(name)
        begun = time.perf_counter()
        mine = ari(group(Held(found)).label.tolist(), truth)
        seconds = time.perf_counter() - begun
        its = ari(plain(Held(found)), truth)
        result[name] = {"ari": round(mine, 3), "plain_recipe": round(its, 3)}
        print(f"{name:12} {len(truth):6} requests  ari {mine:.3f}  plain recipe {its:.3f}  {seconds:.1f} s")
    return result


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.discovery", description=__doc__)
    parser.add_argument("--log", type=Path, default=FOLDER / "traffic.jsonl.gz")
    parser.add_argument("--truth", type=Path, help="JSON lines with id and workflow; beside the log by default")
    parser.add_argument("--rows", type=Path, help="write each request's id and group here, as JSON lines")
    parser.add_argument("--messy", action="store_true", help="also the synthetic logs, against the plain recipe")
    options = parser.parse_args()
    if not options.log.exists():
        print(f"there is no log at {options.log}: name one with --log", file=sys.stderr)
        sys.exit(2)
    result: dict[str, Any] = {"messy": messy()} if options.messy else {}
    truth_file = options.truth or options.log.with_name("truth.jsonl.gz")
    source = Log(options.log)
    found = group(source)
    ids = [one.id for one in source.lines()]
    if options.rows:
        lines = (json.dumps({"id": one, "group": int(label)}) for one, label in zip(ids, found.label, strict=True))
        options.rows.write_text("\n".join(lines) + "\n")
    if truth_file.exists():
        with gzip.open(truth_file, "rt") if truth_file.suffix == ".gz" else truth_file.open() as file:
            known = {one["id"]: one["workflow"] for one in map(json.loads, file)}
        truth = [known[one] for one in ids]
        told(found, truth)
        result["ari"] = round(ari(found.label.tolist(), truth), 4)
        result["v_measure"] = round(v_measure(found.label.tolist(), truth), 4)
    result |= assignment(found, source)
    with tempfile.TemporaryDirectory() as folder:
        path = options.log
        if len(ids) < SCALE:
            path = Path(folder) / "scaled.jsonl"
            scale_up(options.log, path)
        seconds, used, megabytes = timed(path)
    result |= {
        "seconds_per_100k": round(seconds, 1),
        "cpu_seconds_per_100k": round(used, 1),
        "rss_mb": round(megabytes),
    }
    if options.log == FOLDER / "traffic.jsonl.gz":
        keep("discovery", result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
