"""Jobs as chunks of a pool: a sweep resumes and takes the best; what is sent away comes back as it would be made here."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
import pytest

from freehold.core.errors import BadArtefact, LeaseLost, Unavailable
from freehold.jobs.local_pool import LocalPool
from freehold.jobs.pool import InProcess
from freehold.moves.training.chunk import Came, take
from freehold.moves.training.errors import BadOption, NoBase, TooFewLessons
from freehold.moves.training.job import Base, Workshop, keep_error, read_job, read_result
from freehold.moves.tuning import train
from tests.moves.training.lessons import folder_of, gone_within, made

SWEEP = {"rank": [4, 8], "rate": [0.001, 0.01]}


class Told:
    """A pool whose jobs end as a table says, in the place of the recipe."""

    def __init__(self, losses):
        self.losses, self.trained = losses, []

    @contextmanager
    def places(self):
        yield self, False

    def map(self, _function, chunks, tick):
        for chunk in chunks:
            tick()
            folder = Path(chunk.folder)
            options = read_job(folder).options
            self.trained.append((options["rank"], options["rate"]))
            loss = self.losses[self.trained[-1]]
            if isinstance(loss, BadOption):
                keep_error(folder, loss)
            elif loss is not None:
                shop = Workshop(folder)
                shop.write("adapter.gguf", lambda path, options=options: path.write_text(json.dumps(options)))
                shop.finish("gguf", ["adapter.gguf"], {"loss_before": 2.0, "loss_after": loss, "held_out": 4})
            yield Came()

    def close(self):
        pass


def swept(folder, pool, beat=lambda _progress: None):
    return train(folder, "lora", beat, SWEEP, pool.places)


def test_the_best_variant_is_the_jobs_result_with_what_the_others_had(tmp_path):
    folder = folder_of(tmp_path / "job", made(40), "lora", options={"batch": 4})
    bad = BadOption("the loss is no number after 3 steps", hint="take a lower rate")
    pool = Told({(4, 0.001): 0.5, (4, 0.01): bad, (8, 0.001): 0.25, (8, 0.01): 0.25})
    beats = []
    found = swept(folder, pool, beats.append)
    assert found.job.options == {"batch": 4, "rank": 8, "rate": 0.001}
    assert json.loads((folder / "out" / "adapter.gguf").read_text()) == found.job.options
    assert [one.get("chosen", False) for one in found.metrics["sweep"]] == [False, False, True, False]
    assert found.metrics["sweep"][1] == {
        "options": {"rank": 4, "rate": 0.01},
        "error": "FH-REQ-010 the loss is no number after 3 steps",
    }
    assert [(one["done"], one["of"]) for one in beats] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert swept(folder, pool) == found and len(pool.trained) == 4, "what is done is not done again"
    assert read_result(folder) == found


def test_variants_that_ended_are_not_run_again_whatever_was_killed(tmp_path):
    folder = folder_of(tmp_path / "job", made(40), "lora")
    pool = Told({(4, 0.001): 0.5, (4, 0.01): BadOption("no"), (8, 0.001): 0.25, (8, 0.01): 0.25})
    beats = []

    def lost(progress):
        beats.append(progress)
        if len(beats) == 3:
            raise LeaseLost("another has it")

    with pytest.raises(LeaseLost):
        swept(folder, pool, lost)
    assert pool.trained == [(4, 0.001), (4, 0.01)]
    assert swept(folder, pool).job.options["rank"] == 8
    assert pool.trained == [(4, 0.001), (4, 0.01), (8, 0.001), (8, 0.01)]


def test_one_that_dies_without_a_word_is_no_bad_variant_but_tried_again(tmp_path):
    folder = folder_of(tmp_path / "job", made(40), "lora")
    losses = {(4, 0.001): 0.5, (4, 0.01): None, (8, 0.001): 0.25, (8, 0.01): 0.125}
    pool = Told(losses)
    with pytest.raises(Unavailable, match="ended without a result"):
        swept(folder, pool)
    losses[4, 0.01] = 0.0625
    assert swept(folder, pool).job.options == {"rank": 4, "rate": 0.01}
    assert pool.trained.count((4, 0.001)) == 1


def test_where_every_variant_fails_the_first_error_is_told(tmp_path):
    folder = folder_of(tmp_path / "job", made(40), "lora")
    ranks = {(rank, rate): BadOption(f"rank {rank}, rate {rate}") for rank in (4, 8) for rate in (0.001, 0.01)}
    with pytest.raises(BadOption, match=r"rank 4, rate 0\.001"):
        swept(folder, Told(ranks))


def test_too_few_lessons_to_hold_one_out_train_nothing(tmp_path):
    pool = Told({})
    with pytest.raises(TooFewLessons):
        swept(folder_of(tmp_path / "job", made(9), "lora"), pool)
    assert pool.trained == []


def test_a_job_that_is_sent_away_comes_back_as_it_is_made_here_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    here, away = (folder_of(tmp_path / name, made(80)) for name in ("here", "away"))
    first = train(here, "classifier", lambda _progress: None)
    second = train(away, "classifier", lambda _progress: None, places=lambda: nullcontext((InProcess(), True)))
    assert second.files == first.files and second.job == first.job
    assert (away / "out" / first.files[0].name).stat().st_mode & 0o077 == 0
    assert list(tmp_path.glob("freehold-train-*")) == []


def test_lessons_leave_a_node_also_where_its_worker_is_killed(tmp_path):
    folder = folder_of(tmp_path / "job", made(4000))
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    script = (
        "import sys; from pathlib import Path; from freehold.moves.training.chunk import sent, work;"
        "work(sent(Path(sys.argv[1]), 'classifier'))"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(folder)], env=env)
    try:
        deadline = time.monotonic() + 100
        while not list(tmp_path.glob("freehold-train-*/lock")) and time.monotonic() < deadline:
            assert child.poll() is None
            time.sleep(0.005)
    finally:
        child.kill()
        child.wait(60)
    gone_within(tmp_path, 60)


def test_what_a_node_says_is_wrong_is_the_error_it_was(tmp_path):
    folder = folder_of(tmp_path / "job", made(3))
    with pytest.raises(TooFewLessons):
        train(folder, "classifier", lambda _progress: None, places=lambda: nullcontext((InProcess(), True)))
    assert b"FH-CON-011" in (folder / "log").read_bytes()


@pytest.mark.parametrize("there", ["lacks", "has other bytes as"])
def test_a_node_without_the_base_says_which_file_it_wants(tmp_path, there):
    path = tmp_path / "base.gguf"
    if there != "lacks":
        path.write_text("another")
    folder = folder_of(tmp_path / "job", made(40), "lora", base=Base("short", str(path), "0" * 64))
    with pytest.raises(NoBase, match=f"{there} the base short: {path} with SHA-256 000"):
        train(folder, "lora", lambda _progress: None, SWEEP, lambda: nullcontext((InProcess(), True)))


def test_what_a_node_said_before_is_forgotten_once_the_job_is_sent_again(tmp_path):
    folder = folder_of(tmp_path / "job", made(80))
    keep_error(folder, NoBase("the node lacks the base"))

    class Mute(InProcess):
        def map(self, _function, chunks, _tick):
            for _ in chunks:
                yield Came(log=b"killed")

    with pytest.raises(Unavailable, match="ended without a result: killed"):
        train(folder, "classifier", lambda _progress: None, places=lambda: nullcontext((Mute(), True)))
    places = lambda: nullcontext((InProcess(), True))  # noqa: E731
    assert train(folder, "classifier", lambda _progress: None, places=places).files


def test_results_of_another_job_or_with_other_bytes_are_not_taken(tmp_path):
    folder, other = (folder_of(tmp_path / name, made(80, seed=seed)) for seed, name in enumerate(("one", "two")))
    made_here = train(other, "classifier", lambda _progress: None)
    files = tuple((one.name, (other / "out" / one.name).read_bytes()) for one in made_here.files)
    with pytest.raises(BadArtefact, match="something else"):
        take(folder, Came(result=(other / "result.json").read_bytes(), files=files))
    assert read_result(folder) is None
    ours = msgspec.json.encode(msgspec.structs.replace(made_here, job=read_job(folder)))
    with pytest.raises(BadArtefact, match="something else"):
        take(folder, Came(result=ours, files=tuple((name, b"x" + data) for name, data in files)))
    assert not (folder / "result.json").exists(), "and it is run again"


def test_who_stops_listening_ends_the_child(tmp_path):
    folder = folder_of(tmp_path / "job", made(80))
    (folder / "train.jsonl").rename(folder / "kept")
    os.mkfifo(folder / "train.jsonl")  # the recipe waits for a writer as long as it lives
    pool, seen = LocalPool(1, patience=None), []

    def stop(progress):
        if (folder / "lock").exists():  # the recipe has begun
            seen.append(progress)
            raise LeaseLost("stopped")

    with pytest.raises(LeaseLost):
        train(folder, "classifier", stop, places=lambda: nullcontext((pool, False)))
    assert seen and pool.workers == ()
    (folder / "kept").rename(folder / "train.jsonl")
    deadline = time.monotonic() + 60
    with (folder / "lock").open() as lock:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
        else:
            pytest.fail("the child still holds the folder")
    assert train(folder, "classifier", lambda _progress: None).metrics
