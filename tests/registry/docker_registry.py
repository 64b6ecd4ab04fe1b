"""A real OCI registry for tests: Debian's docker-registry, from the path or out of its package."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

CACHE = Path(tempfile.gettempdir()) / "freehold-docker-registry"
CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {root}}}
http: {{addr: "127.0.0.1:{port}", secret: test}}
"""


def program():
    """Its path; skips the test where it is neither installed nor in a package index."""
    found = shutil.which("docker-registry")
    if found:
        return found
    kept = CACHE / "usr" / "bin" / "docker-registry"
    if not kept.is_file():
        with tempfile.TemporaryDirectory() as folder:
            steps = (["apt-get", "download", "docker-registry"], ["sh", "-c", f"dpkg -x ./*.deb {CACHE}"])
            try:
                for step in steps:
                    subprocess.run(step, cwd=folder, check=True, capture_output=True, timeout=60)
            except (OSError, subprocess.SubprocessError):
                pytest.skip("docker-registry is neither installed nor to be had as a package")
    return str(kept)


@contextmanager
def registry(folder):
    """One that runs on loopback; its host and port."""
    found = program()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(CONFIG.format(root=folder / "registry", port=port))
    child = subprocess.Popen([found, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5):
                    break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(10)
