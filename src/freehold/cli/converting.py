"""`freehold models convert`: checkpoints as safetensors, without an instance and without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import cell, emit_json, json_option, say

GATE = 4
"""Exit code where the gate blocks, or a file with tensors could not be converted."""


@click.command(cls=Verb)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@click.option("--seconds", default=30.0, show_default=True, help="Longest work on a file, besides its size's share.")
@click.option("--memory-mb", default=512, show_default=True, help="Most memory of the process that converts, in MiB.")
@json_option
def convert(path: Path, out: Path, seconds: float, memory_mb: int, *, as_json: bool) -> None:
    """Write every checkpoint of torch's, joblib file and array of numpy's in PATH as safetensors.

    The gate looks first; nothing is unpickled or run. Tensors in tables get names like `a.b.c`, views that share
    bytes are written out each, plain values go into the file's notes. Other files are not copied. Ends with 4 where
    the gate blocks or a file holds what safetensors has no form for.
    """
    from freehold.core.errors import BadArtefact, NotFound
    from freehold.registry.convert import convert_apart
    from freehold.registry.converting import likely, name_after, weights_of
    from freehold.registry.errors import NotAdmitted
    from freehold.registry.gate.apart import scan_apart
    from freehold.registry.gate.errors import NoTensors
    from freehold.registry.gate.types import Limits

    limits = Limits(seconds=seconds, memory_bytes=memory_mb << 20)
    report = scan_apart(path, limits)
    if report.verdict == "block":
        raise NotAdmitted(f"{path.name} is blocked", hint=f"see why: freehold models scan {path}", param=str(path))
    done: list[dict[str, Any]] = []
    for one in weights_of(report, pickles=True):
        source, target = (path / one.name if path.is_dir() else path), out / name_after(one.name)
        if not likely(source):
            continue
        told = {"file": one.name, "form": one.format, "into": "", "tensors": 0, "size": 0, "why": ""}
        if target.exists():
            done.append({**told, "why": f"{target} is there already"})
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            made = convert_apart(source, target, limits)
        except NoTensors:
            continue
        except BadArtefact as why:
            told["why"] = why.message
        else:
            told |= {"into": str(target), "tensors": made.tensors, "size": made.size}
        done.append(told)
    if not done:
        raise NotFound(f"{path.name} holds no tensors of torch's, joblib's or numpy's", param=str(path))
    if as_json:
        emit_json(done)
    else:
        for one_done in done:
            _print(one_done)
    if any(one["why"] for one in done):
        raise SystemExit(GATE)


def _print(one: dict[str, Any]) -> None:
    if one["why"]:
        click.echo(cell(f"{one['file']} is not converted: {one['why']}"))
        return
    click.echo(cell(one["into"]))
    say(cell(f"  from {one['file']}, {one['form']}: {one['tensors']} tensors, {one['size'] / 1e6:.1f} MB"))


VERBS: tuple[click.Command, ...] = (convert,)
"""What `freehold models` takes on."""
