"""Instances for tests: `house` serves all SDK tests of a run, `instance` one file, which says its own CONFIG."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.e2e.instance import Instance, Vendors, running, vendors

HOUSE = """\
[targets.gpt-embed]
provider = "openai"
model = "embed-fake"
[routes.gpt]
targets = ["gpt"]
[routes.claude]
targets = ["claude"]
[routes.gpt-strict]
targets = ["gpt"]
strict = true
[routes.claude-strict]
targets = ["claude"]
strict = true
[routes.embed]
targets = ["gpt-embed"]
[routes.owned-or-claude]
targets = ["owned-chat", "claude"]
"""


@contextlib.contextmanager
def told(request: pytest.FixtureRequest, made: Instance) -> Iterator[Instance]:
    """Print the instance's logs where a test that used it failed."""
    before = request.session.testsfailed
    yield made
    if request.session.testsfailed > before:
        print(made.logs())


@pytest.fixture(scope="session")
def house_vendors() -> Iterator[Vendors]:
    with vendors() as both:
        yield both


@pytest.fixture(scope="session")
def house_instance(request, tmp_path_factory, house_vendors) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("house"), HOUSE, house_vendors, owned=True) as made, told(request, made):
        yield made


@pytest.fixture
def house(house_instance, house_vendors) -> Instance:
    """The shared instance: owned models, both vendors, one route to each."""
    house_vendors.calm()
    return house_instance


@pytest.fixture(scope="module")
def module_vendors() -> Iterator[Vendors]:
    with vendors() as both:
        yield both


@pytest.fixture(scope="module")
def module_instance(request, tmp_path_factory, module_vendors) -> Iterator[Instance]:
    module = request.module
    folder = tmp_path_factory.mktemp(module.__name__.rpartition(".")[2])
    owned = getattr(module, "OWNED", False)
    with running(folder, module.CONFIG, module_vendors, owned=owned) as made, told(request, made):
        yield made


@pytest.fixture
def fakes(module_vendors) -> Vendors:
    """The vendors of this file's instance, with nothing scripted and nothing recorded."""
    module_vendors.calm()
    return module_vendors


@pytest.fixture
def instance(module_instance, fakes) -> Instance:
    """This file's instance, made of its CONFIG (and with the engines where it says OWNED)."""
    return module_instance
