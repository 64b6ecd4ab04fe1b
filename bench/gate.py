"""`python -m bench.gate [--corpus DIR] [--rows FILE] [--peers VENV,...]`: the gate on hostile and plain artefacts.

Makes the corpus of `../shared/tools/artifact_corpus` in a temporary folder unless one is given. Beside it stand the
scanners found in the named environments, asked by that corpus' own runner. Nothing is loaded. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.kept import OUT, RESULTS, keep
from freehold.registry.gate.apart import scan_apart
from freehold.registry.gate.scan import scan
from freehold.registry.gate.types import VERDICTS

TOOLS = Path(__file__).resolve().parents[2] / "shared" / "tools" / "artifact_corpus"
PEERS = ("picklescan", "modelscan", "modelaudit", "hayward")
LEAST = {"exec": "block", "file": "block", "dos": "block", "prompt": "review", "review": "review"}
"""What a case of each label must at least be given."""
SPARSE_BYTES = 2 << 30


def corpus(python: str, folder: Path) -> Path:
    command = [python, str(TOOLS / "generate.py"), "--out", str(folder)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    return folder


def cases(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(one) for one in (folder / "manifest.jsonl").read_text().splitlines()]
    return [{**one, "path": folder / "files" / one["label"] / one["id"]} for one in found]


def looked(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for one in found:
        begun, used = time.perf_counter(), time.process_time()
        report = scan(one["path"])
        spent, used = time.perf_counter() - begun, time.process_time() - used
        said = [f"{why.code}: {why.said}" for each in (report, *report.files) for why in each.reasons]
        known = {"id": one["id"], "label": one["label"], "ms": round(used * 1000, 2), "wall": round(spent * 1000, 2)}
        rows.append({**known, "verdict": report.verdict, "said": said})
    return rows


def good(row: dict[str, Any]) -> bool:
    if row["label"] == "benign":
        return bool(row["verdict"] == "allow")
    return VERDICTS.index(row["verdict"]) >= VERDICTS.index(LEAST[row["label"]])


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Times are the processor's, so that a busy machine does not change them; `p99_wall_ms` is the clock's."""
    total, hit = Counter(one["label"] for one in rows), Counter(one["label"] for one in rows if good(one))
    times = sorted(one["ms"] for one in rows)
    benign = [one["verdict"] for one in rows if one["label"] == "benign"]
    return {
        "exec_file_blocked": f"{hit['exec'] + hit['file']}/{total['exec'] + total['file']}",
        **{label: f"{hit[label]}/{total[label]}" for label in ("dos", "prompt", "review")},
        "benign_flagged": f"{sum(one != 'allow' for one in benign)}/{len(benign)}",
        "benign_blocked": f"{benign.count('block')}/{len(benign)}",
        "p50_ms": times[len(times) // 2],
        "p99_ms": times[min(int(len(times) * 0.99), len(times) - 1)],
        "max_ms": times[-1],
        "p99_wall_ms": sorted(one["wall"] for one in rows)[min(int(len(rows) * 0.99), len(rows) - 1)],
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def header_ms(folder: Path) -> float:
    """Milliseconds for the header of a sparse safetensors file of 2 GiB: what is looked at, without the digest."""
    from freehold.registry.gate.formats import FORMATS
    from freehold.registry.gate.scan import Look, mapped
    from freehold.registry.gate.types import Limits, Source

    path = folder / "large.safetensors"
    size = SPARSE_BYTES
    head = {"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    written = json.dumps(head).encode()
    with path.open("wb") as file:
        file.write(len(written).to_bytes(8, "little") + written)
        file.truncate(8 + len(written) + size)
    begun = time.perf_counter()
    with path.open("rb") as file, mapped(file.fileno(), path.stat().st_size) as data:
        kind, reasons = Look(Limits(), FORMATS, time.monotonic).look(Source(path.name, data))
    spent = (time.perf_counter() - begun) * 1000
    path.unlink()
    print(f"2 GiB of safetensors: {kind}, {len(reasons)} reasons, {spent:.1f} ms")
    return round(spent, 1)


def table(rows: list[dict[str, Any]], others: dict[str, dict[str, str]]) -> None:
    labels = (*LEAST, "benign")
    print(f"\n{'flagged':12}" + "".join(f"{label:>10}" for label in labels))
    flags = {label: [one["verdict"] != "allow" for one in rows if one["label"] == label] for label in labels}
    print(f"{'freehold':12}" + "".join(f"{f'{sum(each)}/{len(each)}':>10}" for each in flags.values()))
    for name, each in others.items():
        print(f"{name:12}" + "".join(f"{each[label]:>10}" for label in labels))


def peers(environments: list[str], folder: Path, found: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Each scanner that an environment has, by the corpus' own runner."""
    labels = {one["id"]: one["label"] for one in found}
    told: dict[str, dict[str, str]] = {}
    for environment in environments:
        for name in PEERS:
            out = folder / f"{name}.jsonl"
            command = [f"{environment}/bin/python", str(TOOLS / "bench.py"), "run", name, str(folder), str(out)]
            quiet = {"PATH": os.defpath, "HOME": str(folder)}
            if name in told:
                continue
            # what a scanner said of a corpus that was given is kept beside it: some take minutes
            if not out.exists() and subprocess.run(command, check=False, capture_output=True, env=quiet).returncode:
                out.unlink(missing_ok=True)
                continue
            rows = [json.loads(one) for one in out.read_text().splitlines()]
            verdicts = {one["id"]: one["verdict"] for one in rows if one.get("id") in labels}
            flagged = Counter(labels[one] for one, said in verdicts.items() if said in ("malicious", "suspicious"))
            total = Counter(labels.values())
            told[name] = {label: f"{flagged[label]}/{total[label]}" for label in (*LEAST, "benign")}
    return told


def main() -> int:
    asked = argparse.ArgumentParser(prog="bench.gate", description=__doc__)
    asked.add_argument("--corpus", type=Path, help="A corpus made before; else one is made.")
    asked.add_argument("--python", default=sys.executable, help="Interpreter that makes it.")
    asked.add_argument("--peers", default="", help="Environments with other scanners, with commas.")
    asked.add_argument("--rows", type=Path, help="File for one line a case.")
    asked.add_argument("--keep", action="store_true", help="Write the figures to bench/results.")
    options = asked.parse_args()
    if options.corpus is None and not TOOLS.is_dir():
        print(f"no corpus: {TOOLS} is not here, and none was given")
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.corpus or corpus(options.python, Path(temporary) / "corpus")
        found = cases(folder)
        rows = looked(found)
        mine = figures(rows)
        apart = time.perf_counter()
        scan_apart(found[0]["path"])
        mine["apart_ms"] = round((time.perf_counter() - apart) * 1000)
        mine["header_2gib_ms"] = header_ms(Path(temporary))
        others = peers([one for one in options.peers.split(",") if one], folder, found)
    if options.rows:
        options.rows.write_text("".join(json.dumps(one) + "\n" for one in rows))
    for one in rows:
        if not good(one):
            print(f"{one['label']:7} {one['id']:28} {one['verdict']:7} {'; '.join(one['said'])[:120]}")
    table(rows, others)
    keep("gate", {**mine, "others_flagged": others}, RESULTS if options.keep else OUT)
    print(json.dumps(mine))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
