"""What tests may use (fake vendors, real engines) and may not (other machines), and how properties are searched."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings

pytest_plugins = (
    "tests.engines",
    "tests.fakes.fixtures",
    "tests.house.failures",
    "tests.house.loopback",
    "tests.objectstore",
    "tests.postgres",
    "tests.valkey",
)

# No deadlines: a busy machine is no defect. Few examples here, and the same each time, so that what a change broke is
# told apart from what was found by chance; `make soak` looks longer and elsewhere each time.
settings.register_profile("house", deadline=None, max_examples=60, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("house")

LONG = {"tests/e2e/test_console.py": 1_000_000, "tests/e2e/test_demo.py": 30}
"""Files of few tests and some minutes: each is begun where so many tests would stand, so that no one worker is left
with both at the end, and never both at once."""


WHOLE = ("tests/e2e/", "tests/faults/")
"""Tests of whole instances. One that fails is tried once more, and both are told: with a dozen processes, a browser
and killed databases on two cores, what chance breaks once is looked into, but does not stop everybody's work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of many tests first: workers take whole files, and small ones even out how they end."""
    for item in items:
        if item.nodeid.startswith(WHOLE):
            item.add_marker(pytest.mark.flaky(reruns=1))
    counts = Counter(item.nodeid.partition("::")[0] for item in items)
    counts.update({name: LONG[name] - counts[name] for name in LONG if name in counts})
    items.sort(key=lambda item: -counts[item.nodeid.partition("::")[0]])
