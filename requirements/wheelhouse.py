"""Everything an installation without a network needs, in one folder: wheels with their hashes, ours, and the weights.

Run by `make wheelhouse`. The wheels are for this machine's Python and system; whoever installs must have the like.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKED = ROOT / "requirements" / "run.txt"
MODELS = ROOT / ".cache" / "models"
CONTAINERFILE = ROOT / "src" / "freehold" / "assurance" / "deploying" / "data" / "Containerfile"
REQUIREMENTS, SUMS, INSTALL = "requirements.txt", "SHA256SUMS", "install.sh"
_INSTALL = """\
#!/bin/sh
# Installs into a new virtual environment, without a network: sh install.sh /opt/freehold
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=${{1:?name the folder to install into}}
python=${{PYTHON:-python{version}}}
(cd "$here" && sha256sum --check --quiet SHA256SUMS)
"$python" -m venv "$into"
"$into/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$here/wheels" \\
    --require-hashes --requirement "$here/wheels/requirements.txt"
mkdir -p "$into/models"
cp "$here"/models/*.gguf "$into/models/"
echo "installed: $into/bin/freehold; in freehold.toml: [serving] weights = \\"$into/models\\""
"""


def collect(wheels: Path) -> None:
    """Fetch what is locked, each file against its hash; nothing is built, as that would need more than a wheel."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    strict = ("--no-deps", "--require-hashes", "--only-binary=:all:")
    subprocess.run([*pip, *strict, "--requirement", str(LOCKED), "--dest", str(wheels)], check=True)


def build(wheels: Path) -> Path:
    """Our own wheel; the same sources give the same bytes."""
    before = set(wheels.glob("freehold-*.whl"))
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = set(wheels.glob("freehold-*.whl")) - before
    return made


def requirement(wheel: Path) -> str:
    """The line that asks for exactly this wheel."""
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} \\\n    --hash=sha256:{digest(wheel)}\n"


def finish(folder: Path, wheel: Path) -> None:
    """Write what is locked with our own wheel, how to install it, and the sums of every file."""
    (folder / "wheels" / REQUIREMENTS).write_text(LOCKED.read_text() + requirement(wheel))
    shutil.copyfile(CONTAINERFILE, folder / "Containerfile")
    version = ".".join(platform.python_version_tuple()[:2])
    (folder / INSTALL).write_text(_INSTALL.format(version=version))
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name != SUMS)
    lines = [f"{digest(one)}  {one.relative_to(folder).as_posix()}\n" for one in files]
    (folder / SUMS).write_text("".join(lines))


def digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    """Write the folder; one that is there already stays as it is."""
    parser = argparse.ArgumentParser(prog="make wheelhouse", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--into", type=Path, default=ROOT / "dist" / "wheelhouse")
    parser.add_argument("--models", type=Path, default=MODELS)
    given = parser.parse_args()
    if given.into.exists():
        sys.stderr.write(f"{given.into} is there already: remove it, or name another: make wheelhouse INTO=FOLDER\n")
        return 1
    weights = sorted(given.models.glob("*.gguf"))
    if not weights:
        sys.stderr.write(f"there are no weights in {given.models}: make setup\n")
        return 1
    wheels, models = given.into / "wheels", given.into / "models"
    wheels.mkdir(parents=True)
    models.mkdir()
    collect(wheels)
    for one in weights:
        shutil.copyfile(one, models / one.name)
    finish(given.into, build(wheels))
    count = len(list(wheels.glob("*.whl")))
    size = sum(one.stat().st_size for one in given.into.rglob("*") if one.is_file())
    sys.stdout.write(
        f"{given.into}: {count} wheels, {len(weights)} models, {size / 1e6:.0f} MB, {platform.platform()}\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
