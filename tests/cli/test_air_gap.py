"""`freehold up --air-gapped`: whatever the file says, no rented target exists, and what is owned answers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import Running, config
from tests.fakes.fake_openai import FakeOpenAi

MORE = """
aliases = ["rented-only"]
[providers.house]
base_url = "{house}/v1"
owned = true
api_key = "${{env:HOUSE_KEY}}"
[targets.own]
provider = "house"
model = "gpt-4o"
[routes.mixed]
targets = ["rented", "own"]
"""


class AirGapped(Running):
    house: FakeOpenAi

    def environment(self):
        return {**super().environment(), "HOUSE_KEY": self.house.key}

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "freehold", *self.options(), "up", "--air-gapped", "--json"],
            stdout=subprocess.PIPE, text=True, env=self.environment(), cwd=self.folder,
        )  # fmt: skip
        self.banner = json.loads(self.process.stdout.readline() or self.logs())
        return self.banner


@pytest.fixture(scope="module")
def gapped(tmp_path_factory):
    with FakeOpenAi() as vendor, FakeOpenAi() as house:
        made = AirGapped(tmp_path_factory.mktemp("instance"), vendor)
        made.house = house
        made.config.write_text(config(vendor) + MORE.format(house=house.base_url).lstrip())
        made.start()
        yield made
        if made.process.poll() is None:
            made.stop()


def test_what_is_owned_answers_and_the_vendor_hears_nothing(gapped):
    told = gapped("chat", "--route", "mixed", "--json", "hello")
    assert told.code == 0 and told.json["target"] == "own", told.err + gapped.logs()
    refused = gapped("chat", "--route", "assistant", "hello")
    assert refused.code != 0 and "air-gapped" in refused.err
    assert not gapped.vendor.requests and gapped.house.requests


def test_no_snapshot_names_the_vendors_address_or_key(gapped):
    written = b"".join(one.read_bytes() for one in (gapped.home / "snapshots").glob("*.snapshot"))
    port = gapped.vendor.base_url.rpartition(":")[2].encode()
    assert b"VENDOR_KEY" not in written and b'"rented"' not in written and port not in written
    listed = gapped("routes", "list", "--targets", "--json")
    assert [one["name"] for one in listed.json] == ["own"]


def test_a_new_file_does_not_open_it(gapped):
    before = gapped.config.read_text()
    gapped.config.write_text(before + '\n[policy]\nair_gapped = false\nhome = "EU"\n')
    told = gapped("config", "show", "--json")
    assert told.code == 0
    assert [one["name"] for one in gapped("routes", "list", "--targets", "--json").json] == ["own"]
    assert not gapped.vendor.requests
    found = gapped("policy", "table", "--json").json
    assert {one["target"] for one in found} == {"own"} and all(one["allowed"] for one in found)
