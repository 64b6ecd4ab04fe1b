"""Checkpoints that leave the writer's reach: append-only, continuing each other, and never in anybody's way."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadSignature
from freehold.ledger.audit import outside
from freehold.ledger.audit.offline import verify_home
from freehold.ledger.audit.publisher import Plan, Publisher, publish, standing
from freehold.ledger.writer import load_once
from tests.ledger.sample import Home, refused
from tests.ledger.test_writer import until

WRITER = """
import sys, time
from pathlib import Path
from freehold.core.crypto import Identity
from freehold.ledger.audit.publisher import Plan, Publisher
from freehold.ledger.intake.loader import Pace
from freehold.ledger.writer import WriterConfig, run
home, public = Path(sys.argv[1]), Path(sys.argv[3])
def made(engine):
    return Publisher(home, engine, Identity.load(home / "identity.key"), lambda: Plan((public,), 0.01), time.time)
config = WriterConfig(home=home, database=sys.argv[2], pace=Pace(batch_bytes=4096, checkpoint_seconds=0.001), idle_seconds=0.001)
run(config, lambda engine: [made(engine)], lambda engine: made(engine).round())
"""


@pytest.fixture
def public(tmp_path: Path) -> Path:
    made = tmp_path / "public"
    made.mkdir()
    return made


def log(home: Home, first: int, end: int) -> None:
    if not (home.path / "journal" / "e1").exists():
        home.begin("e1")
    home.write("e1", *(refused(number) for number in range(first, end)))
    load_once(home.path, home.engine, home.keys)


def put(home: Home, folder: Path) -> int:
    return publish(home.engine, home.keys.identity, home.path, folder)


def test_each_checkpoint_is_a_file_of_its_own_and_never_written_over(home: Home, public: Path) -> None:
    assert put(home, public) == 0
    log(home, 0, 10)
    assert put(home, public) == put(home, public) == 10
    log(home, 10, 500)
    assert put(home, public) == 500
    place = outside.place_of(public, home.keys.identity)
    assert sorted(one.name for one in place.iterdir()) == [outside.name_of(10), outside.name_of(500)]
    with pytest.raises(FileExistsError):
        outside.write(public, home.keys.identity, 10, "another")
    assert verify_home(home.path, [public]).outside == 500


def test_what_does_not_continue_what_is_published_is_not_published(home: Home, public: Path, tmp_path: Path) -> None:
    log(home, 0, 10)
    put(home, public)
    other = Home(tmp_path / "other")
    (tmp_path / "other" / "identity.key").write_bytes((home.path / "identity.key").read_bytes())
    other.keys = type(home.keys)(Identity.load(other.path / "identity.key"), other.keys.sealer)
    log(other, 50, 55)
    with pytest.raises(BadSignature, match="its end was cut off, or an older state was restored"):
        put(other, public)
    log(other, 55, 60)
    with pytest.raises(BadSignature, match="another checkpoint of size 10"):
        put(other, public)
    log(other, 60, 90)
    with pytest.raises(BadSignature, match="does not continue the one of size 10"):
        put(other, public)
    assert len(outside.sizes_in(public, home.keys.identity)) == 1
    other.close()


def test_a_folder_within_the_home_or_gone_takes_nothing(home: Home, tmp_path: Path) -> None:
    log(home, 0, 3)
    (home.path / "inside").mkdir()
    with pytest.raises(OSError, match="within the home"):
        put(home, home.path / "inside")
    with pytest.raises(FileNotFoundError):
        put(home, tmp_path / "unmounted")
    assert not (tmp_path / "unmounted").exists()


def service(home: Home, *folders: Path) -> Publisher:
    return Publisher(home.path, home.engine, home.keys.identity, lambda: Plan(folders, 0.01), time.time)


def test_failures_are_told_and_go_away(home: Home, public: Path, tmp_path: Path) -> None:
    log(home, 0, 3)
    gone = tmp_path / "gone"
    service(home, public, gone).round()
    good, bad = standing(home.path)
    assert (good.size, good.error) == (3, "")
    assert (bad.size, bad.error, bad.differs) == (0, "there is no such folder", False)
    gone.mkdir()
    service(home, public, gone).round()
    assert [one.error for one in standing(home.path)] == ["", ""]


def test_a_folder_that_never_answers_holds_nobody_up(
    home: Home, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(home, 0, 3)
    hung, release = tmp_path / "hung", threading.Event()
    hung.mkdir()
    real = outside.newest

    def slow(folder: Path, verifier: object) -> object:
        if folder == hung:
            release.wait()
        return real(folder, verifier)

    monkeypatch.setattr(outside, "newest", slow)
    monkeypatch.setattr("freehold.ledger.audit.publisher._WAIT_SECONDS", 0.2)
    try:
        asyncio.run(asyncio.wait_for(_until_published(service(home, hung, public), home, public), 20))
        told = {one.folder: one for one in standing(home.path)}
        assert told[str(hung)].error == "it does not answer"
        assert told[str(public)].size == 3
    finally:
        release.set()


async def _until_published(one: Publisher, home: Home, public: Path) -> None:
    task = asyncio.create_task(one.serve())
    while len(standing(home.path)) < 2:
        assert not task.done()
        await asyncio.sleep(0.01)
    task.cancel()


def test_many_publishers_write_each_checkpoint_once(home: Home, public: Path) -> None:
    log(home, 0, 40)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: put(home, public), range(16))) == {40}
    assert outside.sizes_in(public, home.keys.identity) == [40]
    assert verify_home(home.path, [public]).good


def test_kill_9_while_it_publishes_leaves_whole_notes_that_continue_each_other(home: Home, public: Path) -> None:
    pick = random.Random(5)
    home.begin("e1")
    total, number = 600, 0
    while number < total:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home.path), home.url, str(public)], stderr=subprocess.PIPE
        )
        target = min(number + 120, total)
        before = len(outside.sizes_in(public, home.keys.identity))
        while number < target:
            home.write("e1", refused(number))
            number += 1
        until(lambda before=before: len(outside.sizes_in(public, home.keys.identity)) > before + pick.randrange(2))
        writer.kill()
        writer.communicate()
        report = verify_home(home.path, [public])
        assert report.good, report.problems
    (home.path / "run" / "checkpoints.json").unlink()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home.path), home.url, str(public)], stderr=subprocess.PIPE
    )
    until(lambda: bool(standing(home.path)) and verify_home(home.path, [public]).size == total)
    writer.send_signal(signal.SIGTERM)
    assert writer.wait(30) == 0, writer.stderr.read()
    writer.communicate()
    report = verify_home(home.path, [public])
    assert (report.good, report.size, report.signed, report.outside) == (True, total, total, total)
    left = [one.name for one in outside.place_of(public, home.keys.identity).iterdir() if one.name.startswith(".")]
    assert len(left) <= 5, "what a kill leaves behind does no harm"
