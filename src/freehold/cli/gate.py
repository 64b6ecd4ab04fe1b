"""`freehold models scan`: what the gate says about a file or folder, without an instance and without loading it."""

from __future__ import annotations

from pathlib import Path

import click

from freehold.cli.commands import Verb
from freehold.cli.output import cell, emit_json, json_option, mark, say

GATE = 4
"""Exit code of what is not simply allowed."""
_COLOURS = {"allow": "green", "review": "yellow", "block": "red"}


@click.command(cls=Verb)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--seconds", default=30.0, show_default=True, help="Longest look, besides the time hashing takes.")
@click.option("--memory-mb", default=512, show_default=True, help="Most memory of the process that looks, in MiB.")
@click.option("--second", is_flag=True, help="Ask other scanners found on PATH as well; they cannot make it milder.")
@json_option
def scan(path: Path, seconds: float, memory_mb: int, *, second: bool, as_json: bool) -> None:
    """Look at a file or folder as the gate does on entry, in a process with bounded memory and time.

    Nothing in it is loaded or run. Ends with 4 where the verdict is `review` or `block`.
    """
    import msgspec

    from freehold.registry.gate.apart import scan_apart
    from freehold.registry.gate.second_opinions import asked
    from freehold.registry.gate.types import Limits

    report = scan_apart(path, Limits(seconds=seconds, memory_bytes=memory_mb << 20))
    report = asked(report, path) if second else report
    if as_json:
        emit_json(msgspec.to_builtins(report))
    else:
        for one in report.files:
            click.echo(f"{mark(one.verdict, _COLOURS[one.verdict])} {cell(one.name)}: {one.format}")
            for why in one.reasons:
                click.echo(cell(f"      {why.verdict}: {why.where}: {why.said} ({why.code})"))
        for why in report.reasons:
            click.echo(cell(f"{why.verdict}: {why.where or path.name}: {why.said} ({why.code})"))
        say(f"{len(report.files)} files: {report.verdict}")
    if report.verdict != "allow":
        raise SystemExit(GATE)


VERBS: tuple[click.Command, ...] = (scan,)
"""What `freehold models` takes on."""
