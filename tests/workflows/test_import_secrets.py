from __future__ import annotations

import json
import re

from freehold.workflows.store import Which
from tests.workflows.conftest import Instance
from tests.workflows.logs import AT, call, importing, jsonl
from tests.workflows.test_import_variants import TOOLS, VARIANTS
from tests.workflows.test_redaction import SECRETS, secret_part


def planted(value, secret):
    """The value with a secret in every text that people wrote, and in fields that hold keys."""
    if isinstance(value, dict):
        return {name: planted(one, secret) for name, one in value.items()}
    if isinstance(value, list):
        return [planted(one, secret) for one in value]
    if isinstance(value, str):
        for word in ("Be brief.", "Capital of France?", "Paris", "look", "found"):
            value = value.replace(word, f"{word} {secret}" if "\n" not in secret else word)
    return value


WITH_KEYS = {
    "har": {"startedDateTime": "2025-09-04T15:33:20Z", "time": 1, "request": {"method": "POST", "url": f"https://x.test/v1?key={SECRETS['google']}", "queryString": [{"name": "key", "value": SECRETS["google"]}], "cookies": [{"name": "session", "value": "cookie-value-123"}], "headers": [{"name": "Authorization", "value": SECRETS["bearer"]}, {"name": "cookie", "value": "cookie-value-123"}], "postData": {"text": json.dumps(call(1)["request"])}}, "response": {"status": 200, "cookies": [], "headers": [{"name": "set-cookie", "value": "cookie-value-123"}], "content": {"text": json.dumps(call(1)["response"])}}},
    "litellm": {"request_id": "l", "call_type": "acompletion", "startTime": AT, "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b", "messages": call(1)["request"]["messages"], "response": call(1)["response"], "model": "m"},
    "plain": {"ts": AT, "app": SECRETS["openai"], "request": {"headers": {"x-api-key": SECRETS["anthropic"]}, "body": {**call(1)["request"], "api_key": SECRETS["openai"], "user": SECRETS["github"]}}, "response": call(1)["response"]},
}  # fmt: skip
KEYS = (
    *(secret_part(one) for one in ("google", "bearer", "openai", "anthropic", "github")),
    "cookie-value-123",
    "88dc28d0f030c55e",
)


def everything_written(instance, report):
    """Bytes of the database, of the reject file, and of every body, unsealed."""
    instance.engine.dispose()
    found = [one.read_bytes() for one in instance.path.glob("freehold.db*")]
    found += [one.read_bytes() for one in (instance.path / "imports").rglob("*") if one.is_file()]
    for one in (instance.path / "bodies").rglob("*"):
        if one.is_file() and one.name != "lock":
            found.append(instance.bodies.open(bytes.fromhex(one.name)))
    return b"\n".join([*found, repr(report).encode()])


def test_planted_secrets_are_nowhere_after_the_import(instance, log, capfd):
    planted_lines = [
        json.loads(re.sub(r'"(o1|r1|l1|h1|p1|s1|c1|e1|m1|m)"', rf'"\1-{number}"', json.dumps(planted(one, secret))))
        for number, secret in enumerate(SECRETS.values())
        for one in (*VARIANTS.values(), *TOOLS.values())
    ]
    broken = [json.dumps(one).encode()[:-7] for one in planted_lines[:18]]
    odd = [{"what": secret} for secret in SECRETS.values()]
    report = importing(instance, log(jsonl(*planted_lines, *broken, *odd, *WITH_KEYS.values())))
    assert report.new > 100 and report.rejected >= len(broken) + len(odd)
    written = everything_written(instance, report) + "".join(capfd.readouterr()).encode()
    assert b"[secret:openai]" in written
    for name in SECRETS:
        for line in secret_part(name).splitlines():
            assert line.encode() not in written, name
    for key in KEYS:
        assert key.encode() not in written, key


def test_callers_are_told_apart_by_their_keys_which_are_not_kept(instance, log, tmp_path):
    lines = [
        {**WITH_KEYS["litellm"], "request_id": str(number), "api_key": key}
        for number, key in enumerate(["a" * 64, "b" * 64, "a" * 64])
    ]
    path = log(jsonl(*lines))
    importing(instance, path)
    found = sorted(instance.shelf.records(Which()), key=lambda one: one.external_id)
    first, second, third = (one.app for one in found)
    assert first == third != second and first.startswith("key_")
    elsewhere = Instance(tmp_path / "elsewhere")
    importing(elsewhere, path)
    assert first not in {one.app for one in elsewhere.shelf.records(Which())}
    elsewhere.engine.dispose()
