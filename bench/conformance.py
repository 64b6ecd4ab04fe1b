"""`python -m bench.conformance [--suites DIR]`: what others' suites and others' mock servers say of us, by name.

Official SDKs speak to a Freehold whose targets are served by a mock server that knows nothing of us, in each of the
dialects it speaks; and public suites that take a base URL are run as they are. DIR holds what they need, none of it
ours: `npm install --prefix DIR @copilotkit/aimock tsx zod@4`, and a checkout of Open Responses in
`DIR/open-responses`. What is absent is skipped and said. The last line is JSON: passed and failed of each suite.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import conformance_sdks as sdks
from bench.kept import OUT, keep
from freehold.core.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
REPLY = "a plain answer of several words"
FIXTURES = {
    "fixtures": [
        {"match": {"toolCallId": "call_weather"}, "response": {"content": "it is mild"}},
        {
            "match": {"toolName": "get_weather", "hasToolResult": False},
            "response": {
                "toolCalls": [{"id": "call_weather", "name": "get_weather", "arguments": {"location": "Oslo"}}]
            },
        },
        {"match": {}, "response": {"content": REPLY}},
    ]
}
"""What the mock answers: ours, synthetic."""
WIRES = {
    "openai_chat": 'base_url = "{mock}/v1"\ndialects = ["openai_chat"]',
    "openai_responses": 'base_url = "{mock}/v1"\ndialects = ["openai_responses"]',
    "anthropic_messages": 'vendor = "anthropic"\nbase_url = "{mock}/v1"',
    "gemini": 'base_url = "{mock}/v1beta"\ndriver = "gemini"\ndialects = ["gemini"]',
    "bedrock_converse": 'base_url = "{mock}"\ndriver = "bedrock"\ndialects = ["bedrock_converse"]',
}
"""Dialects that the mock is spoken to in, as tables [providers.NAME]."""
MODELS = {
    "anthropic_messages": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-pro",
    "bedrock_converse": "amazon.nova-pro-v1:0",
}
START_SECONDS = 60.0
Verdict = tuple[str, str, str]
"""Suite, case, and what went wrong: empty where it passed, "skipped: ..." where it was not run."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.conformance", description=__doc__)
    parser.add_argument("--suites", type=Path, default=OUT / "suites", help="where others' suites lie")
    parser.add_argument("--keep", action="store_true", help="write bench/results/conformance.json")
    options = parser.parse_args()
    found: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder, mock(options.suites, Path(folder)) as address:
        if not address:
            found.append(("aimock", "all", f"skipped: {options.suites}/node_modules/.bin/llmock is not there"))
        else:
            with freehold(Path(folder) / "plain", address) as (base, key):
                found += sdks.verdicts(base, key, tuple(WIRES), REPLY, sdks.OVER_HTTP)
                found += open_responses(options.suites, base, key)
            chain = certificate(Path(folder))
            with freehold(Path(folder) / "tls", address, chain) as (base, key):
                os.environ["AWS_CA_BUNDLE"] = str(chain.with_name("ca.pem"))
                found += sdks.verdicts(base, key, tuple(WIRES), REPLY, sdks.OVER_TLS)
    for suite, case, wrong in found:
        verdict = "pass" if not wrong else "skip" if wrong.startswith("skipped") else "FAIL"
        print(f"{verdict}  {suite}: {case}  {wrong}".rstrip())
    figures = summary(found)
    if options.keep:
        keep("conformance", figures)
    print(
        json.dumps({name: {k: v for k, v in one.items() if k in ("passed", "failed")} for name, one in figures.items()})
    )


def summary(found: list[Verdict]) -> dict[str, dict[str, Any]]:
    """Counts and names of each suite."""
    figures: dict[str, dict[str, Any]] = {}
    for suite, case, wrong in found:
        one = figures.setdefault(suite, {"passed": 0, "failed": 0, "passes": [], "failures": {}, "skipped": {}})
        if wrong.startswith("skipped"):
            one["skipped"][case] = wrong.partition(": ")[2]
        elif wrong:
            one["failed"] += 1
            one["failures"][case] = wrong
        else:
            one["passed"] += 1
            one["passes"].append(case)
    return figures


@contextmanager
def mock(suites: Path, folder: Path) -> Iterator[str]:
    """The mock server's address; empty where it is not installed."""
    command = suites / "node_modules" / ".bin" / "llmock"
    if not command.exists():
        yield ""
        return
    fixtures, port = folder / "fixtures.json", free_port()
    fixtures.write_text(json.dumps(FIXTURES))
    child = subprocess.Popen([command, "-p", str(port), "-f", fixtures, "--log-level", "silent"])
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/v1/models")
        yield address
    finally:
        child.terminate()
        child.wait()


@contextmanager
def freehold(folder: Path, mock_address: str, tls: Path | None = None) -> Iterator[tuple[str, str]]:
    """A whole instance whose targets the mock serves: its address and a key."""
    folder.mkdir()
    secured = "" if tls is None else f'tls_certificate = "{tls}"\ntls_key = "{tls.with_name("key.pem")}"\n'
    tables = [f"[gateway]\nport = 0\n{secured}[admin]\nport = 0\n[serving]\nenabled = false\n"]
    for name, provider in WIRES.items():
        tables.append(
            f'[providers.{name}]\n{provider.format(mock=mock_address)}\nowned = true\napi_key = "${{env:MOCK}}"'
        )
        tables.append(f'[targets.{name}]\nprovider = "{name}"\nmodel = "{MODELS.get(name, "gpt-4o")}"')
        tables.append(f'[routes.{name}]\ntargets = ["{name}"]')
    config = folder / "freehold.toml"
    config.write_text("\n".join(tables) + "\n")
    command = [sys.executable, "-m", "freehold", "--home", folder / "home", "--config", config, "up", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "MOCK": "mock-key"}) as child:
        try:
            assert child.stdout is not None
            told = json.loads(child.stdout.readline())
            base: str = told["endpoints"]["gateway"]
            yield base.replace("127.0.0.1", "localhost"), told["secret"]
        finally:
            child.terminate()


def certificate(folder: Path) -> Path:
    """A certificate for this machine; beside it its key, and the authority that nobody else trusts."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    made = authority.issue_cert("localhost", "127.0.0.1")
    chain = folder / "chain.pem"
    for one in made.cert_chain_pems:
        one.write_to_path(chain, append=True)
    made.private_key_pem.write_to_path(folder / "key.pem")
    return chain


def open_responses(suites: Path, base: str, key: str) -> Iterator[Verdict]:
    """Open Responses' own compliance suite, on every target that is spoken to in another dialect too."""
    folder, tsx = suites / "open-responses", suites / "node_modules" / ".bin" / "tsx"
    script = folder / "bin" / "compliance-test.ts"
    if not script.exists() or not tsx.exists():
        yield "open-responses", "all", f"skipped: {script} or {tsx} is not there"
        return
    links = folder / "node_modules"
    if not links.exists():
        links.symlink_to(suites / "node_modules")
    for wire in WIRES:
        command = [tsx, "bin/compliance-test.ts", "-u", f"{base}/v1", "-k", key, "-m", wire, "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
        results = json.loads(done.stdout[done.stdout.index(b"{") :])["results"]
        for one in results:
            wrong = "; ".join(one.get("errors") or ["failed"]) if one["status"] == "failed" else ""
            if "websocket" in one["id"]:
                wrong = "skipped: responses over WebSocket are not served"
            yield "open-responses", f"{wire}: {one['name']}", wrong[:300]


def _wait(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
