"""`python -m bench.start [--runs N]`: how long `freehold --version`, `--help` and `up` to its first answer take.

Medians of wall time from starting the process; `up` begins with an empty home each time, after set-up. The last
line is JSON: milliseconds, and seconds for `up` (null where the embedded models were not fetched).
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
FREEHOLD = Path(sys.executable).with_name("freehold")
MODELS = ROOT / ".cache" / "models"
BOUNDS = {"version_ms": 100.0, "help_ms": 250.0, "up_first_answer_s": 5.0}
"""What the project holds itself to, on an idle machine of two cores."""
_CONFIG = '[gateway]\nport = 0\n\n[admin]\nport = 0\n\n[serving]\nweights = "{models}"\n'
_SECONDS = 90


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="runs of --version and --help; `up` has a third of them")
    parser.add_argument("--no-up", action="store_true", help="leave `up` out")
    options = parser.parse_args()
    runs = max(options.runs, 1)
    figures: dict[str, float | None] = {
        "version_ms": round(median(_command("--version") for _ in range(runs)) * 1000, 1),
        "help_ms": round(median(_command("--help") for _ in range(runs)) * 1000, 1),
        "up_first_answer_s": None,
    }
    if options.no_up or not any(MODELS.glob("*.gguf")):
        print("up skipped: " + ("as asked" if options.no_up else f"no models in {MODELS}; run make setup"))
    else:
        figures["up_first_answer_s"] = round(median(_up() for _ in range(max(runs // 3, 1))), 2)
    for name, value in figures.items():
        print(f"{name:18} {'-' if value is None else value:>8}   bound {BOUNDS[name]:g}")
    print(json.dumps(figures))


def _command(option: str) -> float:
    began = time.perf_counter()
    subprocess.run([FREEHOLD, option], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _up() -> float:
    """Seconds from starting `up` on an empty home to the first whole answer of the embedded model."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "freehold.toml"
        config.write_text(_CONFIG.format(models=MODELS))
        command = [str(FREEHOLD), "--home", str(Path(folder) / "home"), "--config", str(config), "up", "--json"]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                if not line:
                    assert process.stderr is not None
                    raise SystemExit(f"up failed: {process.stderr.read().decode()[-500:]}")
                started = json.loads(line)
                _ask(started["endpoints"]["gateway"], started["secret"])
                return time.perf_counter() - began
            finally:
                process.terminate()
                process.wait(_SECONDS)


def _ask(base: str, key: str) -> None:
    """One short answer. Raises SystemExit where it is none."""
    place = urlsplit(base)
    body = {"model": "owned-chat", "max_tokens": 1, "messages": [{"role": "user", "content": "Say hello."}]}
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=_SECONDS)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"the first call failed: {answer.status} {text[:300].decode(errors='replace')}")


if __name__ == "__main__":
    main()
