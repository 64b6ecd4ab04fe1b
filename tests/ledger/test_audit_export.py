"""An exported log, checked by ourselves and by the one file that knows nothing of us."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadSignature, Conflict
from freehold.core.ids import as_text
from freehold.ledger.audit import export, log
from freehold.ledger.audit.exported import verify_export
from freehold.ledger.audit.salts import Salts
from tests.ledger.sample import Home, call_id
from tests.ledger.test_audit_verify import build

VERIFIER = Path(__file__).parents[2] / "verifier" / "verify_audit.py"
ALONE = """
import runpy, sys
sys.modules["freehold"] = None  # whoever imports it fails
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Exported:
    def __init__(self, folder: Path, public: Path, key: bytes) -> None:
        self.folder, self.public, self.key = folder, public, key

    def ours(self) -> bool:
        return verify_export(self.folder, [self.public], self.key).good

    def theirs(self, *what: object, key: bytes | None = None) -> subprocess.CompletedProcess[str]:
        """The verifier in a process in which freehold cannot be imported."""
        arguments = what or (self.folder, "--outside", self.public)
        script = f"import sys; sys.argv[0] = {str(VERIFIER)!r}\n{ALONE}"
        command = [sys.executable, "-c", script, *map(str, arguments), "--public-key", (key or self.key).hex()]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, Home]:
    folder = tmp_path_factory.mktemp("export")
    home = Home(folder / "home")
    build(home, folder / "public")
    export.write(home.path, folder / "export")
    yield Exported(folder / "export", folder / "public", home.keys.identity.public), home
    home.close()


@pytest.fixture
def copy(made: tuple[Exported, Home], tmp_path: Path) -> Exported:
    folder = Path(shutil.copytree(made[0].folder, tmp_path / "export"))
    return Exported(folder, Path(shutil.copytree(made[0].public, tmp_path / "public")), made[0].key)


def test_the_verifier_is_short_and_imports_nothing_of_ours() -> None:
    text = VERIFIER.read_text()
    assert len(text.splitlines()) <= 200
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_a_whole_export_is_good_to_both(made: tuple[Exported, Home]) -> None:
    exported, _ = made
    report = verify_export(exported.folder, [exported.public], exported.key)
    assert (report.good, report.size, report.signed, report.outside) == (True, 605, 605, 403)
    told = exported.theirs()
    assert told.returncode == 0, told.stdout + told.stderr
    assert "605 entries, 605 signed, 403 under outside checkpoints, 0 erased" in told.stdout


def test_another_key_is_refused_by_both(made: tuple[Exported, Home]) -> None:
    exported, _ = made
    other = Identity(bytes(range(32))).public
    assert not verify_export(exported.folder, [], other).good
    told = exported.theirs(key=other)
    assert told.returncode == 4
    assert "not signed by" in told.stdout


def test_receipts_are_checked_alone(made: tuple[Exported, Home], tmp_path: Path) -> None:
    exported, home = made
    salts = Salts(home.path, home.keys.sealer)
    found = log.receipt_of_call(home.engine, home.keys.identity, salts, as_text("call", call_id(77)))
    import msgspec

    path = tmp_path / "receipt.json"
    path.write_bytes(msgspec.json.encode(found))
    assert exported.theirs(path).returncode == 0
    said = json.loads(path.read_bytes())
    for change in (
        {"statement": {**said["statement"], "target": "other"}},
        {"leaf": said["leaf"] + 1},
        {"proof": said["proof"][1:]},
        {"salt": "00" * 16},
        {"checkpoint": said["checkpoint"].replace("605", "604")},
    ):
        path.write_text(json.dumps({**said, **change}))
        told = exported.theirs(path)
        assert (told.returncode, told.stderr) == (4, ""), change


def spoil(copy: Exported, how: str) -> None:
    entries = copy.folder / "entries.jsonl"
    lines = entries.read_bytes().splitlines(keepends=True)
    if how == "taken away":
        del lines[300]
    elif how == "cut off":
        del lines[-1]
    elif how == "moved":
        lines[10], lines[11] = lines[11], lines[10]
    elif how == "renumbered":
        del lines[300]
        lines = [json.dumps({**json.loads(one), "leaf": at}, sort_keys=True, separators=(",", ":")).encode() + b"\n" for at, one in enumerate(lines)]  # fmt: skip
    elif how == "hidden":
        lines[10] = b'{"erased":"%s","leaf":10}\n' % (b"00" * 32)
    elif how == "cut off with its checkpoints":
        del lines[400:]
        for one in (copy.folder / "checkpoints").iterdir():
            if int(one.stem) > 400:
                one.unlink()
    entries.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    "how", ["taken away", "cut off", "moved", "renumbered", "hidden", "cut off with its checkpoints"]
)
def test_what_is_spoiled_is_found_by_both(copy: Exported, how: str) -> None:
    spoil(copy, how)
    assert not copy.ours()
    told = copy.theirs()
    assert (told.returncode, told.stderr) == (4, ""), told.stdout


def test_truncation_to_an_inside_checkpoint_needs_the_outside(copy: Exported) -> None:
    spoil(copy, "cut off with its checkpoints")
    entries = copy.folder / "entries.jsonl"
    entries.write_bytes(b"".join(entries.read_bytes().splitlines(keepends=True)[:201]))
    assert copy.theirs(copy.folder).returncode == 0
    told = copy.theirs()
    assert told.returncode == 4
    assert "outside checkpoint 403: 202 entries at the end are gone" in told.stdout


def test_a_checkpoint_that_is_taken_away_shows(copy: Exported) -> None:
    next(one for one in (copy.folder / "checkpoints").iterdir() if int(one.stem) == 403).unlink()
    assert not copy.ours()
    assert "checkpoint 403: it is gone" in copy.theirs().stdout


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_bit_of_an_export_counts(made: tuple[Exported, Home], tmp_path: Path, seed: int) -> None:
    exported, _ = made
    folder = tmp_path / "export"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(exported.folder, folder)
    copy = Exported(folder, exported.public, exported.key)
    draw = random.Random(seed)
    path = draw.choice(sorted(one for one in folder.rglob("*") if one.is_file()))
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    assert not copy.ours(), path
    if seed % 8 == 0:
        told = copy.theirs()
        assert (told.returncode, told.stderr) == (4, ""), path


def test_an_export_overwrites_nothing_and_hands_out_nothing_bad(made: tuple[Exported, Home], tmp_path: Path) -> None:
    _, home = made
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(Conflict):
        export.write(home.path, tmp_path / "full")
    from sqlalchemy import update

    from freehold.core.db import writing
    from freehold.ledger.tables import calls

    with writing(home.engine) as connection:
        connection.execute(update(calls).where(calls.c.leaf == 3).values(form=9))
    export.write(home.path, tmp_path / "new")
    assert not verify_export(tmp_path / "new", [], home.keys.identity.public).good
    with writing(home.engine) as connection:
        connection.execute(update(calls).where(calls.c.leaf == 3).values(form=2))
        connection.execute(update(calls).where(calls.c.leaf == 3).values(leaf=-9))
    with pytest.raises(BadSignature, match="leaf 3"):
        export.write(home.path, tmp_path / "other")
    with writing(home.engine) as connection:
        connection.execute(update(calls).where(calls.c.leaf == -9).values(leaf=3))
