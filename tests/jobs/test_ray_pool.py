"""The same on Ray: a cluster of this machine's own, and one of two nodes of which one goes away. Skips without Ray."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from freehold.core.errors import BadRequest
from freehold.jobs.errors import ChunkBroke, NoCluster, OtherNode
from freehold.jobs.settings import JobsSettings
from freehold.settings.pools import pool_anywhere, pool_here
from tests.house.sources import ROOT
from tests.jobs.chunk_work import Deadly, dies_at_first, refuses_seven, squared, where

# Looked for, not imported: Ray reads its variables as it is loaded, and here they are set first.
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install -e '.[ray]'")
SECONDS = 240


@pytest.fixture
def short():
    """A folder with a short name: Ray's sockets lie in it, and their paths have little room."""
    with tempfile.TemporaryDirectory(prefix="fh", ignore_cleanup_errors=True) as folder:
        yield folder


def apart(body, folder, module="tests.jobs.test_ray_pool"):
    """Runs a part in a process of its own, since Ray is one a process; its last lines."""
    script = f"from {module} import *\nif __name__ == '__main__':\n    {body}()\n"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "RAY_TEST_FOLDER": folder}
    child = subprocess.Popen(
        [sys.executable, "-c", script], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = child.communicate(timeout=SECONDS)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate(timeout=30)
    assert child.returncode == 0, err[-3000:]
    return out.splitlines()


@needs_ray
def test_a_cluster_of_this_machine_does_the_same_and_is_closed_to_others(short):
    apart("own_cluster", short)


def own_cluster():
    tempfile.tempdir = os.environ["RAY_TEST_FOLDER"]
    asked_to_end = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.append(True))
    with tempfile.TemporaryDirectory() as folder, pool_anywhere(JobsSettings(backend="ray", processes=2)) as pool:
        assert list(pool.map(squared, range(30))) == [one * one for one in range(30)]
        assert os.getpid() not in set(pool.map(where, range(4)))
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked_to_end == [True], "what a trainer does when it is to end is not taken from it"
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        import ray

        head = ray.get_runtime_context().gcs_address
        assert head.startswith("127.0.0.1:")
        refused(head)
        (left,) = Path(tempfile.gettempdir()).glob("freehold-ray-*")
        assert left.stat().st_mode & 0o077 == 0
        some = [Deadly(one, Path(folder), deaths=one in (2, 3)) for one in range(8)]
        assert [number for number, _ in pool.map(dies_at_first, some)] == list(range(8))
        deadly = [Deadly(one, Path(folder), deaths=99 * (one == 13)) for one in range(10, 16)]
        with pytest.raises(ChunkBroke, match="chunk 4 ended its worker"):
            list(pool.map(dies_at_first, deadly))
        found = pool.map(refuses_seven, range(12))
        assert [next(found) for _ in range(7)] == list(range(7))
        with pytest.raises(BadRequest) as error:
            next(found)
        assert (error.value.hint, error.value.param) == ("take another", "number")
    with pool_anywhere(JobsSettings(backend="ray", processes=1)) as pool:
        assert list(pool.map(squared, range(3))) == [0, 1, 4], "a process may open one after the other"
    os.kill(os.getpid(), signal.SIGTERM)
    assert asked_to_end == [True, True]
    assert list(Path(tempfile.gettempdir()).glob("freehold-ray-*")) == []


def refused(head):
    """Somebody else of this machine, with another token."""
    script = f"import ray; ray.init('{head}', log_to_driver=False, logging_level=50)"
    env = {**os.environ, "RAY_AUTH_TOKEN": "0" * 64}
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert told.returncode != 0 and "ConnectionError" in told.stderr


@needs_ray
def test_a_node_that_goes_away_loses_nothing_and_doubles_nothing(short):
    apart("two_nodes", short)


def two_nodes():
    from freehold.settings.environment import enclose_ray, silence_ray

    silence_ray()
    enclose_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        other = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        settings = JobsSettings(backend="ray", address=cluster.address)
        nodes, numbers, removed = set(), [], []

        def chunks():
            for number in itertools.count():
                if removed and number > removed[0] + 50:
                    return
                yield number

        with pool_anywhere(settings) as pool:
            for number, node in pool.map(on_node, chunks()):
                numbers.append(number)
                nodes.add(node)
                if len(nodes) == 2 and not removed:  # both are at work
                    removed.append(number)
                    cluster.remove_node(other, allow_graceful=False)
            assert removed and numbers == list(range(removed[0] + 51))
    finally:
        cluster.shutdown()


def on_node(number):
    """Takes a little: the node that goes away is to be at work then."""
    import ray

    total = sum(one * one for one in range(200_000))
    assert total
    return number, ray.get_runtime_context().get_node_id()


@needs_ray
def test_a_cluster_that_does_not_answer_is_told(short):
    apart("nobody", short)


def nobody():
    with (
        pool_anywhere(JobsSettings(backend="ray", address="127.0.0.1:1")) as pool,
        pytest.raises(NoCluster, match=r"127\.0\.0\.1:1 cannot be joined"),
    ):
        list(pool.map(squared, range(3)))


@needs_ray
def test_a_node_with_another_version_is_told(short):
    apart("older_node", short)


def older_node():
    from freehold.jobs import ray_pool

    with pool_anywhere(JobsSettings(backend="ray", processes=1)) as pool:
        ray_pool.__version__ = "9.9.9"
        with pytest.raises(OtherNode, match=r"this is 9\.9\.9"):
            list(pool.map(squared, range(3)))


def test_what_may_hold_keys_stays_here_whatever_the_backend():
    with pool_here(JobsSettings(backend="ray", address="10.0.0.1:6379", processes=1)) as pool:
        assert set(pool.map(where, range(3))) == {os.getpid()}
