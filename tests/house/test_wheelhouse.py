"""The bundle for installations without a network: our wheel is whole, always the same, and asked for by its hash."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile

import pytest

from requirements import wheelhouse
from tests.house.sources import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return wheelhouse.build(tmp_path_factory.mktemp("wheels"))


def test_our_wheel_has_every_file_of_the_package(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    for name in ("data/Containerfile", "data/freehold.service", "render.py"):
        assert f"freehold/assurance/deploying/{name}" in held
    assert not [one for one in held if "__pycache__" in one or one.startswith("tests")]


def test_the_same_sources_give_the_same_wheel(wheel, tmp_path):
    assert wheelhouse.digest(wheelhouse.build(tmp_path)) == wheelhouse.digest(wheel)


def test_the_installer_takes_exactly_this_wheel(wheel, tmp_path):
    asked = tmp_path / "requirements.txt"
    asked.write_text(wheelhouse.requirement(wheel))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--no-index",
        "--quiet",
    ]
    command = [*pip, "--require-hashes", "--find-links", str(wheel.parent), "--requirement", str(asked)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    asked.write_text(re.sub(r"sha256:..", "sha256:00", asked.read_text()))
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and "do not match the hashes" in refused.stderr.lower()


def test_every_file_is_summed_and_every_requirement_has_a_hash(wheel, tmp_path):
    folder = tmp_path / "bundle"
    (folder / "wheels").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "models" / "small.gguf").write_bytes(b"GGUF")
    mine = folder / "wheels" / wheel.name
    mine.write_bytes(wheel.read_bytes())
    wheelhouse.finish(folder, mine)
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}
    assert set(sums) == files - {"SHA256SUMS"}
    assert sums["models/small.gguf"] == hashlib.sha256(b"GGUF").hexdigest()
    wanted = (folder / "wheels" / "requirements.txt").read_text()
    for one in re.split(r"\n(?=[A-Za-z0-9])", wanted.strip()):
        assert "--hash=sha256:" in one, one
    assert wanted.startswith((ROOT / "requirements" / "run.txt").read_text())


def test_a_folder_that_is_there_stays_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wheelhouse", "--into", str(tmp_path)])
    assert wheelhouse.main() == 1 and "there already" in capsys.readouterr().err


def test_the_script_that_installs_is_one_that_a_shell_reads(wheel, tmp_path):
    (tmp_path / "wheels").mkdir()
    mine = tmp_path / "wheels" / wheel.name
    mine.write_bytes(wheel.read_bytes())
    wheelhouse.finish(tmp_path, mine)
    assert subprocess.run(["sh", "-n", str(tmp_path / "install.sh")], check=False).returncode == 0
    without = subprocess.run(["sh", str(tmp_path / "install.sh")], capture_output=True, text=True, check=False)
    assert without.returncode != 0 and "name the folder" in without.stderr
