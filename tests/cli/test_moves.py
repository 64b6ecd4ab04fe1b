"""`freehold moves start --sweep`: what is asked of the API, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from freehold.cli.place import Place
from tests.cli.conftest import Told

START = ("moves", "start", "triage", "--recipe", "lora", "--json")


class Asked:
    """An instance that takes down what is asked of it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def post(self, _path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.bodies.append(body)
        return {}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(Place, "client", lambda _self: made)
    return made


def test_values_are_numbers_where_they_read_as_numbers(cli: Callable[..., Told], asked: Asked) -> None:
    assert cli(*START, "--sweep", "rank=4,8, 16", "--sweep", "rate=0.001,3e-4", "--sweep", "x=a").code == 0
    assert cli(*START).code == 0
    swept = {"rank": [4, 8, 16], "rate": [0.001, 0.0003], "x": ["a"]}
    assert [one["sweep"] for one in asked.bodies] == [swept, {}]


@pytest.mark.parametrize("swept", [("rank",), ("=4",), ("rank=",), ("rank=4", "rank=8")])
def test_a_sweep_that_cannot_be_read_is_told(cli: Callable[..., Told], asked: Asked, swept: tuple[str, ...]) -> None:
    told = cli(*START, *(word for one in swept for word in ("--sweep", one)))
    assert told.code == 2 and "OPTION=VALUE" in told.err
    assert asked.bodies == []
