"""From the home's file to a server: an instance goes on where it was, with its keys, its books and its log."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal

from tests.e2e.instance import FREEHOLD, running, until, vendors

CONFIG = """\
[routes.gpt]
targets = ["gpt"]
budget = { limit = 1, period = "total" }
"""


def freehold(instance, *words):
    command = [*FREEHOLD, "--home", str(instance.home), "--config", str(instance.config), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    return done.returncode, done.stdout, done.stderr


def spent(instance):
    return sum(Decimal(one["call"]["cost"]) for one in instance.calls())


def test_an_instance_goes_on_on_a_server(postgres, tmp_path):
    url = postgres.base.set(database="rehoused").render_as_string()
    postgres.order("CREATE DATABASE rehoused")
    with vendors() as fakes:
        with running(tmp_path, CONFIG, fakes) as here:
            key = here.make_key("app", requests_per_minute=600)
            before = [here.chat("gpt", key=key).call for _ in range(5)]
            until(lambda: set(before) <= {one["call"]["id"] for one in here.calls()}, "all is loaded")
            cost = spent(here)
            here.write(here.config.read_text() + f'[database]\nurl = "{url}"\n')
            code, _, told = freehold(here, "database", "import")
            assert code and "stop it first" in told, told
        rows = json.loads(freehold(here, "database", "import", "--json")[1])["rows"]
        assert rows["calls"] == len(before) and rows["keys"] >= 2
        assert json.loads(freehold(here, "database", "show", "--json")[1])["rows"] == rows
        code, _, told = freehold(here, "database", "import")
        assert code and "holds rows" in told, "nothing is written over"
        with running(tmp_path, f'{CONFIG}[database]\nurl = "{url}"\n', fakes) as there:
            assert {one["call"]["id"] for one in there.calls()} >= set(before)
            assert spent(there) == cost
            after = there.chat("gpt", key=key)
            assert after.status == 200, "the key is the same"
            there.call(after.call)
            assert there.api("/api/keys/app/revoke", {}).status == 200
            assert there.freehold("audit", "verify")["good"]
            assert there.freehold("receipts", "verify", before[0])
