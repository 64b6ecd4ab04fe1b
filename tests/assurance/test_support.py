"""A support bundle: typed facts, signed; of two hundred planted secrets none is in it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import string
import tarfile
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from freehold.assurance.support import bundle
from freehold.assurance.support.configuration import told
from freehold.assurance.support.gather import gather
from freehold.assurance.support.words import word
from freehold.cli.main import freehold
from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature
from freehold.settings.load import parse
from tests.ledger.sample import START, Home, closed, opened

ALNUM = string.ascii_letters + string.digits
MAKERS = (
    lambda draw: "sk-proj-" + draw(ALNUM, 48),
    lambda draw: "sk-ant-api03-" + draw(ALNUM + "-_", 93) + "AA",
    lambda draw: "AIza" + draw(ALNUM, 35),
    lambda draw: "hf_" + draw(ALNUM, 34),
    lambda draw: "gsk_" + draw(ALNUM, 52),
    lambda draw: "xai-" + draw(ALNUM, 80),
    lambda draw: "r8_" + draw(ALNUM, 37),
    lambda draw: "AKIA" + draw(string.ascii_uppercase + "234567", 16),
    lambda draw: draw(ALNUM + "/+", 40),
    lambda draw: "ghp_" + draw(ALNUM, 36),
    lambda draw: "xoxb-" + draw(string.digits, 12) + "-" + draw(ALNUM, 24),
    lambda draw: draw("0123456789abcdef", 32),
    lambda draw: draw("0123456789abcdef", 64),
    lambda draw: draw(ALNUM, 40),
    lambda draw: "pcsk_" + draw(ALNUM, 60),
    lambda draw: "fh-" + draw(ALNUM, 43),
    lambda draw: "eyJ" + draw(ALNUM, 20) + ".eyJ" + draw(ALNUM, 40) + "." + draw(ALNUM + "-_", 43),
    lambda draw: "-".join(draw("0123456789abcdef", n) for n in (8, 4, 4, 4, 12)),
    lambda draw: "nvapi-" + draw(ALNUM + "-_", 64),
    lambda draw: draw(ALNUM + "!#%", 16),
)


def planted() -> list[str]:
    """Two hundred keys, tokens and passwords in the forms of the AI stack."""
    chance = random.Random(20261123)

    def draw(letters: str, size: int) -> str:
        return "".join(chance.choice(letters) for _ in range(size))

    return [make(draw) for _ in range(10) for make in MAKERS]


CONFIG = """
[gateway]
host = "127.0.0.1"

[providers.main]
vendor = "openai"
base_url = "https://example.test/v1/{0}/{1}"
api_key = "${{env:OPENAI_API_KEY}}"
headers = {{ x-team = "{2}" }}

[targets.first]
provider = "main"
model = "gpt-4o"

[routes."{3}"]
targets = ["first"]
"""


@pytest.fixture(scope="module")
def secrets() -> list[str]:
    return planted()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, secrets: list[str]) -> Path:
    """An instance with a secret in every place that takes a text."""
    from freehold.ledger.intake.loader import Loader, Pace

    folder = tmp_path_factory.mktemp("support")
    home = Home(folder / "home")
    home.begin("e1")
    for number, secret in enumerate(secrets):
        first, last = opened(number), closed(number)
        named = {0: {"route": secret}, 1: {"workflow": secret}, 2: {"target": secret}, 3: {"team": secret}}
        first = msgspec.structs.replace(first, subject=secret, **named[number % 4])
        home.write("e1", first, msgspec.structs.replace(last, error=secret[:40]))
    loader = Loader(home.path, home.engine, home.keys, lambda: START, Pace(checkpoint_seconds=0.5))
    while loader.load():
        pass
    loader.tend(final=True)
    home.close()
    (home.path / "logs").mkdir(exist_ok=True)
    lines = [
        {"at": "2026-11-22T00:00:00Z", "level": "error", "event": "defect", "kind": "ValueError", "call": "c",
         "trace": f"pipeline.py:12 begin < {secret}:1 x < answer.py:3 {secret}", "message": secret}
        for secret in secrets
    ]  # fmt: skip
    lines += [{"at": secret, "level": "info", "event": secret, "who": secret, secret: 1} for secret in secrets]
    text = "\n".join(map(json.dumps, lines)) + "\n" + "\n".join(f"plain line with {secret}" for secret in secrets)
    (home.path / "logs" / "gateway.log").write_text(text)
    (home.path / "logs" / f"{secrets[11]}.log").write_text(text)
    children = [{"name": one, "phase": one, "reason": one, "log": one} for one in secrets[:60]]
    (home.path / "run").mkdir(exist_ok=True)
    (home.path / "run" / "processes.json").write_text(json.dumps({"supervisor": 1, "children": children}))
    return home.path


def configured(secrets: list[str], at: int) -> object:
    four = [
        one.replace("/", "x").replace("%", "p").replace("#", "h").replace("!", "i").replace("+", "y")
        for one in secrets[at : at + 4]
    ]
    return parse(CONFIG.format(*four).encode(), None, {}).settings


def test_no_planted_secret_is_in_the_bundle(home: Path, secrets: list[str], tmp_path: Path) -> None:
    settings = [told(configured(secrets, at)) for at in range(0, len(secrets), 4)]
    contents = gather(home, None, START + 60)
    contents = msgspec.structs.replace(contents, configuration={str(at): one for at, one in enumerate(settings)})
    everything = b"".join(bundle.files(contents)[0].values())
    found = [one for one in secrets if one.encode() in everything or json.dumps(one)[1:-1].encode() in everything]
    assert found == []
    parts = [one[:12] for one in secrets if not one.startswith(("sk-", "eyJ")) and one[:12].encode() in everything]
    assert parts == []


def test_what_a_supporter_needs_is_in_it(home: Path, tmp_path: Path) -> None:
    contents = gather(home, parse(CONFIG.format("u", "v", "w", "assistant").encode(), None, {}).settings, START + 60)
    assert sum(one.calls for one in contents.calls) == 200
    assert contents.database["tables"]["calls"] == 200
    assert contents.audit.leaves == 200 and contents.about.packages["msgspec"]
    settings = contents.configuration
    assert settings["targets"]["first"]["model"] == "gpt-4o" and "assistant" in settings["routes"]
    assert settings["providers"]["main"]["vendor"] == "openai"
    assert settings["providers"]["main"]["api_key"] == "${env:...}"
    assert settings["gateway"]["port"] == 8700
    assert ("gateway", "error", "defect", 200) in {(one.log, one.level, one.event, one.count) for one in contents.logs}
    assert contents.defects[0].kind == "ValueError" and "pipeline.py:12 begin" in contents.defects[0].places


def test_the_same_facts_give_the_same_bytes_and_a_changed_one_is_seen(home: Path, tmp_path: Path) -> None:
    contents, identity = gather(home, None, START + 60), Identity.load(home / "identity.key")
    first, second = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    bundle.write(contents, identity, first)
    bundle.write(contents, identity, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < bundle.MOST_BYTES
    assert bundle.read(first)[0].files

    def changed(change) -> Path:
        with tarfile.open(first) as archive:
            files = {one.name: archive.extractfile(one).read() for one in archive.getmembers()}
        change(files)
        path = tmp_path / "c.tar.gz"
        path.write_bytes(bundle._archive(files))
        return path

    with pytest.raises(BadSignature):
        bundle.read(changed(lambda files: files.update({"calls.json": files["calls.json"] + b" "})))
    with pytest.raises(BadSignature):
        bundle.read(changed(lambda files: files.update({"more.json": b"{}"})))
    with pytest.raises(BadSignature):
        bundle.read(changed(lambda files: files.pop("calls.json")))
    with pytest.raises(BadSignature):
        bundle.read(
            changed(
                lambda files: files.update({bundle.MANIFEST: files[bundle.MANIFEST].replace(b'"form"', b'"form" ')})
            )
        )
    with pytest.raises(BadArtefact):
        bundle.read(changed(lambda files: files.pop(bundle.SIGNATURE)))


@given(st.binary(max_size=300) | st.binary(max_size=300).map(gzip.compress))
def test_what_is_no_bundle_is_refused(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bad") / "x.tar.gz"
    path.write_bytes(data)
    with pytest.raises((BadArtefact, BadSignature)):
        bundle.read(path)


def test_the_command_previews_writes_and_shows(home: Path, tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text(CONFIG.format("u", "v", "w", "assistant"))
    place = ["--home", str(home), "--config", str(tmp_path / "freehold.toml")]
    seen = CliRunner().invoke(freehold, ["support", "bundle", "--preview", "--json", *place])
    assert seen.exit_code == 0 and "calls.json" in json.loads(seen.output), seen.output
    out = tmp_path / "out.tar.gz"
    done = CliRunner().invoke(freehold, ["support", "bundle", "--out", str(out), "--json", *place])
    assert done.exit_code == 0 and json.loads(done.output)["file"] == str(out)
    shown = CliRunner().invoke(freehold, ["support", "show", str(out), "--json"])
    assert json.loads(shown.output)["about.json"]["freehold"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(out.read_bytes()))) as archive:
        assert bundle.MANIFEST in archive.getnames()


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-2024-08-06",
        "claude-3-5-sonnet-20241022",
        "smollm2-135m-instruct",
        "openai",
        "anthropic/claude-sonnet-4",
        "eu-west-1",
        "FH-UP-001",
        "",
    ],
)
def test_names_people_give_are_kept(name: str) -> None:
    assert word(name) == name


def test_only_lengths_of_other_texts_are_told() -> None:
    assert word("a text of several words") == "(23 characters)"
    assert word(base64.b64encode(b"some bytes").decode()) == "(16 characters)"


def test_settings_are_told_by_their_types() -> None:
    found = told(parse(CONFIG.format("u", "v", "w", "assistant").encode(), None, {}).settings)
    assert found["providers"]["main"]["base_url"].endswith("characters)")
    assert found["providers"]["main"]["headers"] == {"x-team": "(1 characters)"}
