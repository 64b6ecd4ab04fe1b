"""The demo's own parts: a replay vendor, and a Freehold instance configured before it, in a folder of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CONFIG = """\
# Written by `make demo`. The vendor is a replay on this machine: synthetic answers, the real price list.
[gateway]
port = 0

[admin]
port = 0

[providers.replay]
vendor = "openai"
base_url = "{vendor}"
api_key = "${{env:REPLAY_API_KEY}}"
region = "replay"

[targets.rented]
provider = "replay"
model = "gpt-5-mini"

[routes.assistant]
targets = ["owned-chat"]
baseline = "rented"

[routes.frontier]
targets = ["rented"]
baseline = "rented"
budget = 5

[routes.discreet]
targets = ["rented"]
baseline = "rented"
guard = "pseudonymise"

[routes.careful]
targets = ["rented", "owned-chat"]
baseline = "rented"
guard = "strict"

[routes.resilient]
targets = ["rented", "owned-chat"]
baseline = "rented"
"""

START_SECONDS = 300
WRITTEN = """
[[rights.overrides]]
party = "openai-api"
purpose = "train_generative"
allowed = true
reason = "the log is synthetic: demo.company.log wrote its answers, no vendor did"
by = "the demo"
since = 2026-11-22
"""
"""The owner's word, in writing, by which the synthetic log may train a model that writes."""
RENTED = """
[targets."rented-{model}"]
provider = "replay"
model = "{model}"

[routes."{model}"]
targets = ["rented-{model}"]
baseline = "rented-{model}"
"""
"""A model that the log names: its callers change nothing."""


class Instance(NamedTuple):
    """A running instance: where it listens, the key made for it, and its folder."""

    base: str
    key: str
    home: Path
    config: Path
    vendor: str
    """Base URL of the replay."""

    def freehold(self, *words: str) -> Any:
        """What a command says with `--json`: one value, or a list where it says one a line."""
        command = [*_FREEHOLD, "--home", str(self.home), "--config", str(self.config), *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"freehold {' '.join(words)} failed:\n{done.stderr}")
        text = done.stdout.strip()
        try:
            return json.loads(text)
        except ValueError:
            return [json.loads(line) for line in text.splitlines()]


_FREEHOLD = (sys.executable, "-m", "freehold")


@contextmanager
def vendor(log: Path) -> Iterator[str]:
    """A replay vendor that answers out of a log; its base URL."""
    command = [sys.executable, "-m", "demo.replay_vendor", "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def instance(folder: Path, vendor_url: str, models: Iterable[str], more: str = "") -> Iterator[Instance]:
    """A new instance in `folder` that rents `models` from `vendor_url`, with `more` in its configuration.

    SystemExit with its log where it fails.
    """
    config, home, log = folder / "freehold.toml", folder / "home", folder / "up.log"
    weights = Path(__file__).parents[1] / ".cache" / "models"
    rented = "".join(RENTED.format(model=one) for one in models)
    config.write_text(CONFIG.format(vendor=vendor_url) + rented + more + f'\n[serving]\nweights = "{weights}"\n')
    environment = {**os.environ, "REPLAY_API_KEY": "replay-needs-no-key"}
    command = [*_FREEHOLD, "--home", str(home), "--config", str(config), "up"]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process:
        try:
            yield _wait(process, Instance("", "", home, config, vendor_url), log)
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], made: Instance, log: Path) -> Instance:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        text = log.read_text()
        base = re.search(r"Anthropic base URL\s+(\S+)", text)
        key = re.search(r"key\s+(fh-\S+)", text)
        if base and key and "curl" in text:
            return made._replace(base=base[1], key=key[1])
        time.sleep(0.1)
    raise SystemExit(f"the instance did not start:\n{log.read_text()}")
