"""A whole instance whose state is on PostgreSQL: calls are counted once, whoever is killed, the database too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.instance import FREEHOLD, filled, running, until, vendors

CONFIG = """\
[routes.gpt]
targets = ["gpt"]
budget = {{ limit = 1, period = "total" }}
[database]
url = "{url}"
"""


@pytest.fixture(scope="module")
def fakes():
    with vendors() as both:
        yield both


@pytest.fixture(scope="module")
def instance(postgres, fakes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("on-postgres")
    url = postgres.of(str(folder)).render_as_string()
    with running(folder, CONFIG.format(url=url), fakes) as made:
        yield made


def asked(instance, count):
    """Ids of calls that were answered."""
    answers = [instance.chat("gpt", text=f"call {number}", stream=number % 2 == 0) for number in range(count)]
    assert {one.status for one in answers} == {200}
    return [one.call for one in answers]


def settled(instance, wanted):
    """All calls there are, once those are among them and nothing is under way."""

    def there():
        found = [one["call"]["id"] for one in instance.calls()]
        return found if set(wanted) <= set(found) else None

    return until(there, "every call is settled")


def test_calls_are_loaded_summed_and_vouched_for(instance):
    assert not (instance.home / "freehold.db").exists()
    wanted = asked(instance, 6)
    found = settled(instance, wanted)
    assert sorted(found) == sorted(set(found))
    assert instance.freehold("audit", "verify")["good"]
    assert instance.freehold("usage", "--by", "route")
    told = {one["about"]: one for one in instance.freehold("doctor")}
    assert told["database"]["state"] == "ok"


def test_a_killed_writer_and_a_killed_database_lose_and_double_nothing(instance, postgres):
    before = settled(instance, [])
    wanted = asked(instance, 4)
    instance.kill("writer")
    wanted += asked(instance, 4)
    settled(instance, wanted)
    postgres.kill()
    wanted += asked(instance, 4)
    postgres.restart()
    wanted += asked(instance, 4)
    found = settled(instance, wanted)
    assert sorted(found) == sorted(before + wanted)
    assert instance.freehold("audit", "verify")["good"]


def test_a_second_instance_may_not_write_to_it(instance, postgres, fakes, tmp_path):
    versions = instance.api("/api/routes").body
    text = filled(CONFIG.format(url=postgres.of(str(instance.home.parent)).render_as_string()), fakes, owned=False)
    (tmp_path / "freehold.toml").write_text(text)
    command = [*FREEHOLD, "--home", str(tmp_path / "home"), "--config", str(tmp_path / "freehold.toml"), "up"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1
    assert "another writer serves this database" in done.stderr
    assert instance.api("/api/routes").body == versions, "it wrote nothing there"


def test_everything_can_be_taken_along(instance, tmp_path):
    left = instance.freehold("export", str(tmp_path / "all"))
    written = {Path(one["path"]).name for one in left["files"]}
    assert {"calls.jsonl.gz", "attempts.jsonl.gz"} <= written
    bundle = tmp_path / "support.tar.gz"
    instance.freehold("support", "bundle", "--out", str(bundle))
    assert bundle.stat().st_size > 1000
