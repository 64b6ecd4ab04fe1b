"""`python -m native`: a copy of the package in `build/compiled`, its hot modules compiled by mypyc.

The sources stay as they are. `freehold up` runs its gateway from the copy for as long as its stamp says that it is of
these sources, this recipe and this Python (`freehold.settings.data_plane`).
"""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from freehold.settings.data_plane import BUILD, PACKAGE, RECIPE, STAMP, chosen, interpreter, stamp

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / BUILD

MODULES: tuple[str, ...] = (
    "core/egress",
    "core/ids",
    "gateway/account",
    "gateway/answer",
    "gateway/callers",
    "gateway/cascade",
    "gateway/course",
    "gateway/dialects/openai_chat",
    "gateway/failing",
    "gateway/guarding",
    "gateway/hedging",
    "gateway/inbound",
    "gateway/json_read",
    "gateway/json_splice",
    "gateway/lanes",
    "gateway/listener",
    "gateway/notebook",
    "gateway/outgoing",
    "gateway/pipeline",
    "gateway/plane",
    "gateway/replaying",
    "gateway/reply",
    "gateway/rival",
    "gateway/routing/breaker",
    "gateway/routing/choose",
    "gateway/routing/table",
    "gateway/settlement",
    "gateway/stream_edges",
    "gateway/upstream",
    "gateway/waiting",
    "ledger/journal",
    "policy/budgets",
    "policy/lent",
    "policy/limits",
    "policy/permits",
)
"""What each call runs through. Not among them: modules whose structs msgspec decodes: a compiled class keeps no
annotations to decode by."""

_SETUP = """
from setuptools import setup
from mypyc.build import mypycify

setup(name="freehold-compiled", packages=[], ext_modules=mypycify({paths!r}, opt_level="3", debug_level="0"))
"""
_MYPY = """
[mypy]
python_version = 3.11
ignore_missing_imports = True
disable_error_code = import-untyped
"""
_LOST = "Unsupported default attribute value"


def main() -> int:
    """Build the copy, unless it is there and current. Says what is missing where it cannot."""
    if chosen(ROOT, interpreter()).compiled:
        print(f"{BUILD} is current: {len(MODULES)} modules compiled")
        return 0
    missing = [one for one in ("mypyc", "setuptools") if importlib.util.find_spec(one) is None]
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        missing.append("a C compiler")
    if missing:
        print(f"not compiled: {', '.join(missing)} not found", file=sys.stderr)
        return 1
    problems = list(undefined_defaults())
    if problems:
        print("not compiled: these would be undefined\n  " + "\n  ".join(problems), file=sys.stderr)
        return 1
    work = TARGET.with_name("compiling")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(ROOT / PACKAGE, work / "freehold", ignore=shutil.ignore_patterns("__pycache__"))
    made_of = stamp(work / "freehold", ROOT / RECIPE, interpreter())
    (work / "setup.py").write_text(_SETUP.format(paths=[f"freehold/{one}.py" for one in MODULES]))
    (work / "mypy.ini").write_text(_MYPY)
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": "", "MYPYPATH": str(work)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode or _LOST in done.stdout:
        print(done.stdout[-4000:] + "\nnot compiled", file=sys.stderr)
        return 1
    shutil.rmtree(work / "build")
    (TARGET / STAMP).unlink(missing_ok=True)  # first, so that nobody takes a half for the whole
    shutil.rmtree(TARGET, ignore_errors=True)
    (work / STAMP).write_text(made_of)
    work.rename(TARGET)
    print(f"{len(MODULES)} modules compiled in {BUILD}: `freehold up` runs its gateway from there")
    return 0


def undefined_defaults() -> Iterator[str]:
    """Class attributes mypyc leaves undefined: None where the type is a protocol that is compiled too."""
    trees = {one: ast.parse((ROOT / PACKAGE / f"{one}.py").read_text()) for one in MODULES}
    classes = {name: [one for one in ast.walk(tree) if isinstance(one, ast.ClassDef)] for name, tree in trees.items()}
    protocols = {
        one.name
        for found in classes.values()
        for one in found
        if any(ast.unparse(base) == "Protocol" for base in one.bases)
    }
    for module, found in classes.items():
        for kind in found:
            for line in kind.body:
                if not isinstance(line, ast.AnnAssign) or not isinstance(line.value, ast.Constant):
                    continue
                names = {one.id for one in ast.walk(line.annotation) if isinstance(one, ast.Name)}
                if line.value.value is None and names & protocols:
                    yield f"{module}: {kind.name}.{ast.unparse(line.target)}"


if __name__ == "__main__":
    raise SystemExit(main())
