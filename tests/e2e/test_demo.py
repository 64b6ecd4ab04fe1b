"""`make demo` with a log of real answers; with the invented company's log it is played in test_console.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "workflows" / "traffic.jsonl.gz"


def demo(*options: str) -> str:
    command = [sys.executable, "-m", "demo", "--no-lora", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return " ".join(done.stdout.split())


@pytest.mark.timeout(1500)
def test_a_log_of_real_answers_moves_only_what_is_proven() -> None:
    if not REAL.exists():
        pytest.skip(f"{REAL} is not here")
    told = demo("--log", str(REAL))
    assert "is exploratory" in told
    assert "is immature" in told
    assert "is owned" not in told, "no candidate of this log is inside the margin"
    assert "stage: refused, worse than the margin" in told
    assert "checks hold" in told
