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
[targets.dear]
provider = "openai"
model = "dear-fake"
idle_seconds = 2
price = { input = 1000, output = 1000, as_of = 2026-11-01 }
[routes.dear]
targets = ["dear"]
[routes.capped]
targets = ["dear"]
budget = { limit = 2, period = "day" }
[teams.red]
budget = { limit = 2, period = "total" }
[providers.own]
vendor = "anthropic"
base_url = "@anthropic/v1"
api_key = "${env:E2E_ANTHROPIC_KEY}"
owned = true
[targets.own]
provider = "own"
model = "own-fake"
[routes.mixed]
targets = ["gpt", "own"]
first_token_seconds = 1
[routes.owned-first]
targets = ["own", "gpt"]
first_token_seconds = 1
[routes.shared]
targets = [{ target = "gpt" }, { target = "own" }]
sticky = false
[routes.secret]
targets = ["gpt", "own"]
label = "restricted"
[routes.owned-and-real]
targets = ["owned-chat", "gpt"]
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
