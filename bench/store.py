"""How long a large model takes into the store: `python -m bench.store [--gib N] [--folder DIR] [--rows FILE]`.

Copied and linked; the gate's own look is told apart, and the speed of the disk, which bounds copying.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import tempfile
import time
from pathlib import Path

from freehold.core.crypto import Identity
from freehold.registry.admission import Admission, gate
from freehold.registry.artefacts import Store, digest_of
from freehold.registry.gate.types import Checked, Report
from freehold.registry.offers import Offer, Rules
from freehold.registry.types import Origin

BLOCK = 64 << 20


def make(path: Path, size: int) -> None:
    """A safetensors file of `size` bytes of one tensor, that no file system can make smaller."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    block = os.urandom(BLOCK)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for at in range(0, size, BLOCK):
            file.write(struct.pack("<Q", at) + block[8 : min(BLOCK, size - at)])
        file.flush()
        os.fsync(file.fileno())


def passing(root: Path) -> Report:
    """A gate that digests and asks nothing: what is measured is the way round it."""
    found = [one for one in root.rglob("*") if one.is_file()]
    files = tuple(Checked(one.name, digest_of(one), one.stat().st_size, "safetensors", "allow") for one in found)
    return Report("allow", files, "0" * 64)


def written(folder: Path, size: int) -> float:
    """Bytes a second that the disk takes, synced."""
    block = os.urandom(BLOCK)
    started = time.perf_counter()
    with (folder / "speed").open("wb") as file:
        for _ in range(0, size, BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    (folder / "speed").unlink()
    return size / (time.perf_counter() - started)


def admitted(folder: Path, source: Path, *, link: bool) -> dict[str, float]:
    """Seconds for one way in: all of it, the gate's part, and a load's check afterwards."""
    spent = [0.0]

    def timed(root: Path) -> Report:
        started = time.perf_counter()
        report = passing(root)
        spent[0] = time.perf_counter() - started
        return report

    store = Store(folder / f"store-{link}", Identity.load(folder / "identity.key"))
    offer = Offer(name="large", kind="chat", format="safetensors", origin=Origin("bench", "", ""), licence="mit")
    started = time.perf_counter()
    Admission(store, timed, Rules()).take(source, offer, link=link)
    total = time.perf_counter() - started
    started = time.perf_counter()
    store.open_verified("large")
    check = time.perf_counter() - started
    store.remove("large")
    return {"seconds_without_gate": total - spent[0], "gate_digest_seconds": spent[0], "load_check_seconds": check}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk that is to be measured")
    parser.add_argument("--rows", type=Path, default=None, help="file to write the result to")
    options = parser.parse_args()
    size = int(options.gib * (1 << 30))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        disk = written(folder, min(size, 2 << 30))
        source = folder / "model.safetensors"
        make(source, size)
        started = time.perf_counter()
        looked = gate()(source)
        scan = time.perf_counter() - started
        found = {
            "gib": options.gib,
            "disk_mb_per_s": round(disk / 1e6),
            "scan_seconds": round(scan, 2),
            "scan_verdict": looked.verdict,
            "linked": {key: round(value, 2) for key, value in admitted(folder, source, link=True).items()},
            "copied": {key: round(value, 2) for key, value in admitted(folder, source, link=False).items()},
        }
    for key, value in found.items():
        print(f"{key:15} {value}")
    print(json.dumps(found))
    if options.rows:
        options.rows.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
