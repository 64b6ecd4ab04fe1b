"""Which data plane runs: a copy is taken where it is of these very sources, for this Python, and in no other case."""

from __future__ import annotations

import os

import pytest

from freehold.settings.data_plane import BUILD, PACKAGE, RECIPE, STAMP, checkout, chosen, interpreter, stamp
from freehold.settings.environment import PATH, with_path
from tests.house.sources import ROOT

PYTHON = "cpython-311 3.11.9 linux x86_64"


@pytest.fixture
def tree(tmp_path):
    """A checkout of two modules, built."""
    for name in ("core/ids.py", "gateway/pipeline.py"):
        path = tmp_path / PACKAGE / name
        path.parent.mkdir(parents=True)
        path.write_text("x = 1\n")
    (tmp_path / RECIPE).parent.mkdir()
    (tmp_path / RECIPE).write_text("MODULES = ()\n")
    (tmp_path / BUILD).mkdir(parents=True)
    (tmp_path / BUILD / STAMP).write_text(stamp(tmp_path / PACKAGE, tmp_path / RECIPE, PYTHON))
    return tmp_path


def test_a_build_of_these_sources_is_taken(tree):
    found = chosen(tree, PYTHON)
    assert (found.compiled, found.copy, found.told) == (True, tree / BUILD, "compiled")


def edit(tree):
    (tree / PACKAGE / "core" / "ids.py").write_text("x = 2\n")


def add(tree):
    (tree / PACKAGE / "core" / "new.py").touch()


def rename(tree):
    (tree / PACKAGE / "core" / "ids.py").rename(tree / PACKAGE / "core" / "names.py")


def remove(tree):
    (tree / PACKAGE / "core" / "ids.py").unlink()


def build_otherwise(tree):
    (tree / RECIPE).write_text('MODULES = ("core/ids",)\n')


@pytest.mark.parametrize("change", [edit, add, rename, remove, build_otherwise])
def test_a_stale_build_is_refused_and_said_to_be_so(tree, change):
    change(tree)
    found = chosen(tree, PYTHON)
    assert not found.compiled
    assert "other sources" in found.told
    assert "make compiled" in found.told


def test_what_was_changed_and_changed_back_is_what_was_built(tree):
    edit(tree)
    (tree / PACKAGE / "core" / "ids.py").write_text("x = 1\n")
    assert chosen(tree, PYTHON).compiled


def test_a_build_for_another_python_is_refused(tree):
    assert not chosen(tree, PYTHON.replace("3.11.9", "3.11.10")).compiled
    assert not chosen(tree, PYTHON.replace("x86_64", "aarch64")).compiled


def test_caches_do_not_count(tree):
    (tree / PACKAGE / "core" / "__pycache__").mkdir()
    (tree / PACKAGE / "core" / "__pycache__" / "ids.cpython-311.pyc").write_bytes(b"\0")
    assert chosen(tree, PYTHON).compiled


def test_without_a_build_the_sources_run_and_the_way_is_told(tree):
    (tree / BUILD / STAMP).unlink()
    assert chosen(tree, PYTHON).told == "interpreted (build it: make compiled)"


def test_an_installed_package_has_none():
    found = chosen(None, PYTHON)
    assert (found.compiled, found.copy, found.told) == (False, None, "interpreted")


def test_content_that_moves_between_files_is_another_build(tree):
    before = stamp(tree / PACKAGE, tree / RECIPE, PYTHON)
    (tree / PACKAGE / "core" / "ids.py").write_text("")
    (tree / PACKAGE / "gateway" / "pipeline.py").write_text("x = 1\nx = 1\n")
    assert stamp(tree / PACKAGE, tree / RECIPE, PYTHON) != before


def test_this_checkout_is_found():
    assert checkout() == ROOT
    assert chosen(checkout(), interpreter()).copy == ROOT / BUILD


def test_the_copy_goes_before_what_else_is_on_the_path(tmp_path):
    before = {"A": "1", PATH: f"/else{os.pathsep}{tmp_path}"}
    assert with_path(before, tmp_path, first=True) == {"A": "1", PATH: f"{tmp_path}{os.pathsep}/else"}
    assert with_path({}, tmp_path, first=True) == {PATH: str(tmp_path)}


def test_a_copy_that_is_not_to_be_used_leaves_the_path_however_it_is_spelt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    before = {PATH: f"{tmp_path.name}{os.pathsep}/else{os.pathsep}{tmp_path}"}
    assert with_path(before, tmp_path, first=False) == {PATH: "/else"}
