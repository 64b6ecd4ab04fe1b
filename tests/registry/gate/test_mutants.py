from __future__ import annotations

import os
import random
import time

import pytest

from freehold.registry.gate.scan import scan
from tests.registry.gate.mutants import SEEDS, harm, mutant

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))


def one(path, chance) -> None:
    body = mutant(chance.choice(SEEDS), chance)
    path.write_bytes(body)
    report = scan(path)
    if report.verdict == "allow":
        assert harm(body) == [], body.hex()


def test_no_change_of_bytes_breaks_the_gate_or_gets_an_import_past_it(tmp_path):
    chance = random.Random(7)
    for _ in range(1500):
        one(tmp_path / "m.bin", chance)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_ten_minutes_of_changed_bytes(tmp_path):
    chance = random.Random()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        one(tmp_path / "m.bin", chance)
