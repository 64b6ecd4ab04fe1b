"""Whatever happens in whatever order, a call ends once, costs what it cost, and its caller is not deceived."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.explorer import Explorer

SEEDS = 80


def explore(home: Path, seeds: range, **how: object) -> None:
    for seed in seeds:
        history = Explorer(home / str(seed), seed, **how)
        try:
            history.check()
        except AssertionError as error:
            steps = "\n".join(history.log)
            raise AssertionError(f"seed {seed}: {error}\n{steps}\n{history.machine.log.getvalue()}") from error


@pytest.mark.parametrize("block", range(3))
def test_histories(tmp_path: Path, block: int) -> None:
    explore(tmp_path, range(block * SEEDS, (block + 1) * SEEDS))


def test_histories_without_budgets(tmp_path: Path) -> None:
    explore(tmp_path, range(1000, 1000 + SEEDS), money=False)


def test_histories_with_a_disk_that_fills(tmp_path: Path) -> None:
    explore(tmp_path, range(2000, 2000 + SEEDS), disk=True)


@pytest.mark.parametrize("money", [False, True])
def test_histories_where_only_ends_are_written_down(tmp_path: Path, money: bool) -> None:
    explore(tmp_path, range(3000, 3000 + SEEDS), strict=False, money=money)


@pytest.mark.parametrize("how", [{}, {"money": False, "strict": False}, {"disk": True}])
def test_histories_of_moves_and_composites(tmp_path: Path, how: dict) -> None:
    explore(tmp_path, range(4000, 4000 + SEEDS), moves=True, steps=60, **how)


@pytest.mark.parametrize("how", [{}, {"money": False, "strict": False}, {"disk": True}])
def test_histories_of_hedges_kept_answers_and_queues(tmp_path: Path, how: dict) -> None:
    explore(tmp_path, range(5000, 5000 + SEEDS), races=True, steps=60, **how)


@pytest.mark.soak
@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", ["plain", "moves", "races"])
def test_many_long_histories(tmp_path: Path, disk: bool, strict: bool, kind: str) -> None:
    kinds = {} if kind == "plain" else {kind: True}
    explore(tmp_path, range(10_000, 15_000), steps=120, disk=disk, strict=strict, **kinds)
