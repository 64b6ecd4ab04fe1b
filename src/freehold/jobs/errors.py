"""What can go wrong with work that is cut into chunks; none of it is the work's own error, which is raised as it is."""

from __future__ import annotations

from freehold.core.errors import Unavailable


class ChunkBroke(Unavailable):
    """One chunk of a job ended its worker each time it was tried; all the others are not at fault."""

    code = "FH-JOB-001"
    hint_text = "most often memory ran out: set processes = 1 in [jobs], or give the machine more memory"


class NoCluster(Unavailable):
    """The Ray cluster that [jobs] names does not answer, or this machine is no node of it."""

    code = "FH-JOB-002"
    hint_text = 'join it here: ray start --address HOST:PORT --disable-usage-stats; or backend = "local" in [jobs]'


class NoRay(Unavailable):
    """[jobs] wants Ray, and it is not installed."""

    code = "FH-JOB-003"
    hint_text = "install it where Freehold is installed: pip install 'freehold[ray]'"


class OtherNode(Unavailable):
    """A node of the Ray cluster has no Freehold, or another version of it, so its results might be others."""

    code = "FH-JOB-004"
    hint_text = "install the same version of Freehold, and the same Python, on every node"
