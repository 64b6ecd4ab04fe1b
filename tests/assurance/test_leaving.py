"""An export: whole, readable without us, without secrets, and honest about what it leaves out."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import inspect

from freehold.assurance.leaving import HIDDEN, LEFT_OUT
from freehold.cli.main import freehold
from freehold.core.crypto import Identity
from freehold.core.db import writing
from freehold.ledger.store import insert_bodies
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from tests.evals.conftest import record
from tests.ledger.sample import START, Home, closed, opened

SECRET = b"fh-secret-digest-not-for-others!"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a home with calls, records, a captured body that is no text, and a model."""
    from freehold.ledger.capture import Bodies, Kept
    from freehold.ledger.intake.loader import Loader, Pace
    from freehold.workflows.shelf import Shelf

    folder = tmp_path_factory.mktemp("leaving")
    home = Home(folder / "home")
    home.begin("e1")
    for number in range(5):
        home.write("e1", opened(number), closed(number))
    loader = Loader(home.path, home.engine, home.keys, lambda: START, Pace(checkpoint_seconds=0.5))
    while loader.load():
        pass
    loader.tend(final=True)
    bodies = Bodies(home.path / "bodies", home.keys.sealer)
    Shelf(home.engine, bodies).put([record(n) for n in range(3)], START, 1e9)
    with bodies.exclusive():
        digest, lines = bodies.put_all([b"\xff\xfe raw", b'{"custom_id": 1}\n{}'])
        with writing(home.engine) as connection:
            insert_bodies(connection, [Kept(b"c" * 16, "request", digest, "internal", 6, START, START + 1e9)])
            insert_bodies(connection, [Kept(b"f" * 16, "file", lines, "internal", 19, START, START + 1e9)])
            connection.exec_driver_sql(
                "INSERT INTO keys (id, name, team, role, routes, label, rights, created_at, created_by, period)"
                " VALUES ('k', 'app', 't', 'developer', '[]', 'internal', '[]', 0, 'owner', 'month')"
            )
            connection.exec_driver_sql("INSERT INTO key_secrets VALUES (?, 'k', 'fh-abc', 0, NULL)", (SECRET,))
    weights = folder / "weights.bin"
    weights.write_bytes(b"weights")
    blob = Blob("model.gguf", digest_of(weights), 7)
    made = Manifest(
        name="mine", kind="chat", format="gguf", files=(blob,), origin=Origin("here", "1", blob.sha256),
        making=Making("none"), licence="MIT", made_at="2026-11-22T00:00:00Z",
    )  # fmt: skip
    Store(home.path / "store", Identity.load(home.path / "identity.key")).admit(made, {"model.gguf": weights})
    home.close()
    (home.path / "plans").mkdir()
    (home.path / "plans" / "plan_00.json").write_bytes(b'{"content":{}}\n')
    (home.path / "plans" / "plan_00.card").write_bytes(b"made of it")
    (folder / "freehold.toml").write_text("[gateway]\nport = 1\n")
    run = CliRunner().invoke(
        freehold, ["export", str(folder / "out"), "--home", str(home.path), "--config", str(folder / "freehold.toml")]
    )
    assert run.exit_code == 0, run.output
    return folder / "out"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_every_file_is_in_the_manifest_and_passes_the_usual_tool(left: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=left, check=True)
    manifest = json.loads((left / "manifest.json").read_text())
    there = {path.relative_to(left).as_posix() for path in left.rglob("*") if path.is_file()}
    assert there - {one["path"] for one in manifest["files"]} == {
        "manifest.json",
        "manifest.json.ed25519",
        "SHA256SUMS",
    }
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(manifest["public_key"]))
    key.verify(bytes.fromhex((left / "manifest.json.ed25519").read_text()), (left / "manifest.json").read_bytes())


def test_rows_and_contents_are_all_there_in_clear(left: Path) -> None:
    assert len(lines(left / "tables/calls.jsonl.gz")) == 5
    contents = lines(left / "contents.jsonl.gz")
    exchanges = [one for one in contents if one["side"] == "exchange"]
    assert len(exchanges) == len(lines(left / "tables/records.jsonl.gz")) == 3
    assert {json.loads(one["request"])["messages"][0]["role"] for one in exchanges} == {"user"}
    raw = next(one for one in contents if one["side"] == "request")
    assert base64.b64decode(raw["content_base64"]) == b"\xff\xfe raw"
    assert [one["content"] for one in contents if one["side"] == "file"] == ['{"custom_id": 1}\n{}']


def test_models_configuration_and_log_are_there(left: Path) -> None:
    assert (left / "models/mine/model.gguf").read_bytes() == b"weights"
    assert (left / "configuration/freehold.toml").read_text().startswith("[gateway]")
    assert (left / "audit/entries.jsonl").stat().st_size
    assert [one.read_bytes() for one in (left / "plans").iterdir()] == [b'{"content":{}}\n'], "as it was frozen"


def test_no_secret_is_there_and_what_is_left_out_is_named(left: Path) -> None:
    everything = b"".join(
        gzip.decompress(one.read_bytes()) if one.suffix == ".gz" else one.read_bytes()
        for one in left.rglob("*")
        if one.is_file()
    )
    assert SECRET not in everything
    assert SECRET.hex().encode() not in everything
    manifest = json.loads((left / "manifest.json").read_text())
    assert manifest["left_out"]["key_secrets"] == "digests of secrets"
    assert lines(left / "tables/keys.jsonl.gz")[0]["name"] == "app"


HARMLESS = {
    "attempts.first_token",
    "bodies.digest",
    "calls.first_token",
    "calls.model_digest",
    "eval_runs.state",
    "guard_hours.digest",
    "jobs.state",
    "keys.tokens_per_minute",
    "records.first_token",
    "workflow_templates.digest",
}


def test_no_column_that_sounds_like_a_secret_is_written_before_somebody_looked_at_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    found = inspect(home.engine)
    telling = re.compile(r"secret|token|digest|verifier|nonce|state\b|hash|password")
    written = {
        f"{name}.{column['name']}"
        for name in set(found.get_table_names()) - set(LEFT_OUT)
        for column in found.get_columns(name)
        if telling.search(column["name"]) and column["name"] not in HIDDEN.get(name, ())
    }
    tables = set(found.get_table_names())
    home.close()
    assert written <= HARMLESS
    assert set(LEFT_OUT) <= tables


def test_without_content_no_prompt_is_there(left: Path, tmp_path: Path) -> None:
    home = left.parent / "home"
    run = CliRunner().invoke(freehold, ["export", str(tmp_path / "out"), "--no-content", "--home", str(home), "--json"])
    assert run.exit_code == 0, run.output
    assert "contents.jsonl.gz" not in {one["path"] for one in json.loads(run.stdout)["files"]}


def test_a_folder_with_content_stays_as_it_is(left: Path) -> None:
    before = sorted(left.rglob("*"))
    run = CliRunner().invoke(freehold, ["export", str(left), "--home", str(left.parent / "home")])
    assert run.exit_code == 1
    assert sorted(left.rglob("*")) == before


def test_a_place_where_no_instance_lived_is_told(tmp_path: Path) -> None:
    run = CliRunner().invoke(freehold, ["export", str(tmp_path / "out"), "--home", str(tmp_path)])
    assert run.exit_code == 1
    assert not (tmp_path / "out").exists()
