"""`freehold annotations`: what people say about recorded answers."""

import contextlib
import getpass
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any

import click

from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

PIECE_BYTES = 512 * 1024
"""Of one request; a longer file is sent in several."""
LINE_BYTES = PIECE_BYTES // 2
"""JSON may write each of them as two."""
_COLUMNS = (
    ("record", "record"),
    ("kind", "kind"),
    ("score", "score"),
    ("target", "target"),
    ("who", "who"),
    ("at", "at"),
)
_QUEUED = (("record", "record"), ("workflow", "workflow"), ("target", "target"), ("why", "why"))


@click.group(cls=Noun)
def annotations() -> None:
    """Annotations: people's judgements of recorded answers, the measure of models and of judges."""


@annotations.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--who", default="", help="Whose judgements they are, where a line does not say; your login without it.")
@json_option
@click.pass_context
def import_(ctx: click.Context, /, file: IO[bytes], who: str, *, as_json: bool) -> None:
    """Take judgements in from a file of JSON lines. What is known already is not taken twice.

    {"record": "rec_...", "answer": "refund"} says what would have been right. The record is named by its id or by the
    one its log gave the call.

    {"record": "req_17", "score": 0.5} says how good the recorded answer is, from 0 to 1.

    {"record": "req_17", "score": 1, "target": "owned-a"} says how good another target's answer is.

    Exit code 1 where every line was refused.
    """
    place = ctx.find_object(Place)
    assert place is not None
    client = place.client()
    total: dict[str, Any] = {"read": 0, "new": 0, "known": 0, "refused": 0, "rejected": []}
    long: list[int] = []
    for first, lines in _pieces(file, long):
        told = client.post("/api/annotations", {"who": who or _login(), "lines": lines})
        for name in ("read", "new", "known", "refused"):
            total[name] += told[name]
        total["rejected"] += [{**one, "line": one["line"] + first} for one in told["rejected"]]
    told_long = f"it is longer than {LINE_BYTES:,} bytes"
    total["read"] += len(long)
    total["refused"] += len(long)
    total["rejected"] += [{"line": number, "why": told_long} for number in long]
    if as_json:
        emit_json(total)
    else:
        click.echo(f"{total['new']} new, {total['known']} known already, {total['refused']} not taken")
        for one in total["rejected"]:
            say(f"line {one['line']}: {one['why']}")
    if total["refused"] and not total["new"] + total["known"]:
        ctx.exit(1)


@annotations.command("list")
@click.option("--workflow", default="", help="Only of this workflow.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many.")
@json_option
@click.pass_obj
def list_(place: Place, workflow: str, limit: int, *, as_json: bool) -> None:
    """List the judgements, oldest first, without what they say is right."""
    found = place.client().get("/api/annotations", workflow=workflow, limit=limit)
    if as_json:
        emit_json(found)
        return
    table([{**one, "at": f"{datetime.fromtimestamp(one['at'], UTC):%Y-%m-%d %H:%M}"} for one in found], _COLUMNS)


@annotations.command()
@click.option(
    "--kind",
    type=click.Choice(("answer", "score")),
    default="answer",
    show_default=True,
    help="What is asked of people.",
)
@click.option("--workflow", default="", help="Only of this workflow.")
@click.option("--run", default="", help="Only of this evaluation.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many.")
@json_option
@click.pass_obj
def queue(place: Place, /, *, as_json: bool, **wanted: Any) -> None:
    """List what to judge next: calls on which answers differ, or answers drawn by chance to be scored."""
    found = place.client().get("/api/annotations/queue", **wanted)
    if as_json:
        emit_json(found)
        return
    table(found["items"], _QUEUED)
    far = found["progress"]
    say(f"{far['done']} of {far['whole']} done")


@annotations.command()
@click.option("--workflow", default="", help="Only of this workflow.")
@click.option("--to", "target_file", type=click.File("wb", lazy=False), default="-", help="File; standard output else.")
@json_option
@click.pass_obj
def export(place: Place, workflow: str, target_file: Any, *, as_json: bool) -> None:
    """Print every judgement with its content, one JSON object a line (with or without --json). The audit notes it."""
    for line in place.client().lines("/api/annotations/export", workflow=workflow):
        target_file.write(line)


def _pieces(file: IO[bytes], long: list[int]) -> Iterator[tuple[int, str]]:
    """Lines in pieces that a request may hold, each with the number of lines before it.

    In place of a line that no request holds stands an empty one; its number, from 1, goes into `long`.
    """
    lines: list[str] = []
    size, before = 0, 0
    for number, line in enumerate(_short(file, long)):
        if lines and size + 2 * len(line) > PIECE_BYTES:
            yield before, "\n".join(lines)
            lines, size, before = [], 0, number
        lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
        size += 2 * len(line)  # JSON may escape much of it
    if lines:
        yield before, "\n".join(lines)


def _short(file: IO[bytes], long: list[int]) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        if len(line) <= LINE_BYTES:
            yield line
            continue
        long.append(number)
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_BYTES)
        yield b"\n"


def _login() -> str:
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"
