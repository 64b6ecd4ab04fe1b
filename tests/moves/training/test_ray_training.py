"""A sweep of real adapters by two processes, and on a Ray cluster of two nodes of which one goes away in the middle."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from freehold.core.errors import LeaseLost
from freehold.jobs.settings import JobsSettings
from freehold.moves.training.job import Base, read_job, read_result
from freehold.moves.tuning import VARIANTS, train
from freehold.registry.artefacts import digest_of
from freehold.settings.pools import pool_for_training
from tests.jobs.test_ray_pool import apart, needs_ray, short  # noqa: F401  # a fixture
from tests.moves.training.lessons import folder_of, gone_within, made
from tests.serving.reference import shorten

LESSONS, SWEEP = 20, {"rank": [2, 4]}
OPTIONS = {"steps": 2, "batch": 4, "rate": 0.005}


@pytest.fixture(scope="module")
def by_two(weights, tmp_path_factory):
    """The folder of a sweep on two processes of this machine."""
    for name in ("torch", "peft"):
        pytest.importorskip(name, reason="the extra `train` is not installed")
    folder = tmp_path_factory.mktemp("sweep")
    path = shorten(weights / "smollm2-135m-instruct.gguf", folder / "short.gguf", 1)
    base = Base("short", str(path), digest_of(path))
    job = folder_of(folder / "job", made(LESSONS), "lora", base=base, options=OPTIONS)
    beats = []
    train(job, "lora", beats.append, SWEEP, lambda: pool_for_training(JobsSettings(processes=2)))
    assert {(one["phase"], one["of"]) for one in beats} == {("training variants", 2)}
    return job


@pytest.mark.filterwarnings("ignore")
def test_the_better_of_two_adapters_is_taken(by_two):
    found = read_result(by_two)
    lost = [one["loss_after"] for one in found.metrics["sweep"]]
    assert min(lost) == found.metrics["loss_after"] < found.metrics["loss_before"]
    assert len({one["sha256"] for one in found.metrics["sweep"]}) == 2
    assert found.job.options["rank"] == SWEEP["rank"][lost.index(min(lost))]
    assert read_result(by_two / VARIANTS / str(lost.index(min(lost)) + 1)).files == found.files


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_node_that_goes_away_in_the_middle_loses_nothing(by_two, short, monkeypatch):  # noqa: F811  # a fixture
    monkeypatch.setenv("SWEEP_TEST_FOLDER", str(by_two))
    apart("two_nodes_train", short, "tests.moves.training.test_ray_training")


def two_nodes_train():
    """In a process of its own."""
    from freehold.settings.environment import enclose_ray, silence_ray

    silence_ray()
    enclose_ray()
    os.environ["TMPDIR"] = tempfile.tempdir = os.environ["RAY_TEST_FOLDER"]
    from ray.cluster_utils import Cluster

    before = Path(os.environ["SWEEP_TEST_FOLDER"])
    there = Path(tempfile.gettempdir())
    folder = folder_of(there / "job", made(LESSONS), "lora", base=read_job(before).base, options=OPTIONS)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    beats, removed = [], []
    try:
        other = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def beat(progress):
            beats.append(progress)
            if not removed and len(list(there.glob("freehold-train-*/lock"))) == 2:  # both nodes train
                removed.append(other)
                cluster.remove_node(other, allow_graceful=False)

        settings = JobsSettings(backend="ray", address=cluster.address, content=True, gateway="http://127.0.0.1:1")
        found = train(folder, "lora", beat, SWEEP, lambda: pool_for_training(settings))
        assert removed and {one["of"] for one in beats} == {2}
        stopped(there, before, settings)
    finally:
        cluster.shutdown()
    wanted = read_result(before)
    assert found.files == wanted.files and found.job == wanted.job
    digests = [[one["sha256"] for one in made.metrics["sweep"]] for made in (found, wanted)]
    assert digests[0] == digests[1]


def stopped(there, before, settings):
    """Who stops a move ends what the nodes do for it, and nothing of it stays there."""
    gone_within(there, 60)
    long = {**OPTIONS, "steps": 100_000}
    folder = folder_of(there / "long", made(LESSONS), "lora", base=read_job(before).base, options=long)

    def beat(_progress):
        if list(there.glob("freehold-train-*/lock")):
            raise LeaseLost("stopped")

    with pytest.raises(LeaseLost):
        train(folder, "lora", beat, {}, lambda: pool_for_training(settings))
    gone_within(there, 60)
