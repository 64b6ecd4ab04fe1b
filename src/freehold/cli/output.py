"""How results are shown: a table or lines for people, JSON for programs; colour only where it is wanted."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline, among them ESC and the 8-bit CSI
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of text
    "\ud800-\udfff]"  # what no terminal's encoding can hold
)
_COLOURED = re.compile("((?:\x1b\\[3[1-7]m)?)([^\x1b]*)(\x1b\\[0m)")


def json_option(function: F) -> F:
    """Every command takes `--json`; the function gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def emit_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(safe(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n")


def safe(text: str) -> str:
    """Text that no terminal obeys: controls and turns of direction as escapes of JSON, newline and tab as they are.

    What is one colour from its first character to its last is left alone. In JSON the escapes read as what they hide.
    """
    own = _COLOURED.fullmatch(text)
    if own:
        return own[1] + safe(own[2]) + own[3]
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]]) -> None:
    """Rows as aligned columns of (key, heading); says so where there are none."""
    if not rows:
        say("nothing yet")
        return
    cells = [[heading for _, heading in columns], *([cell(row.get(key)) for key, _ in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    numbers = [all(_number(line[i]) for line in cells[1:]) for i in range(len(columns))]
    for index, line in enumerate(cells):
        parts = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, numbers, strict=True)
        ]
        text = "  ".join(parts).rstrip()
        click.echo(click.style(text, bold=True) if index == 0 else text, color=_colour())


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """One thing as lines of name and value; empty values are left out."""
    shown = [(safe(name), cell(value)) for name, value in pairs if value not in (None, "", (), [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def say(message: str) -> None:
    """A message for people, on standard error."""
    click.echo(safe(message), err=True)


def mark(word: str, colour: str) -> str:
    """A word in brackets, coloured where colours are wanted; the word alone says it all."""
    return click.style(f"[{word}]", fg=colour) if _colour() is not False else f"[{word}]"


def cell(value: Any) -> str:
    """One value as text that is safe for a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(cell(one) for one in value)
    return safe(str(value))


def _number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).lstrip("-$").isdigit() or text == "-"


def _colour() -> bool | None:
    from freehold.settings.environment import variable

    return False if variable("NO_COLOR") else None
