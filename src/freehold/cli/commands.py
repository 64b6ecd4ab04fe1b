"""The classes of every command: each takes the global options after its name too, where people type them."""

from __future__ import annotations

from typing import Any

import click


class Verb(click.Command):
    """A command that does something."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params = [*self.params, *place_options()]


class Noun(click.Group):
    """A group of commands about one thing."""

    command_class = Verb

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params = [*self.params, *place_options()]


def place_options() -> tuple[click.Option, ...]:
    """`--config` and `--home`; what stands nearer to the end of the line counts."""
    return (
        click.Option(
            ["--config"],
            metavar="FILE",
            expose_value=False,
            callback=_named,
            help="Configuration file; else FREEHOLD_CONFIG, else freehold.toml here.",
        ),
        click.Option(
            ["--home"],
            metavar="FOLDER",
            expose_value=False,
            callback=_named,
            help="Folder of the instance; else FREEHOLD_HOME, else as the file says.",
        ),
    )


def _named(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    from freehold.cli.place import Place

    before = ctx.obj if isinstance(ctx.obj, Place) else Place(None, None)
    if value is not None:
        before = before.with_home(value) if param.name == "home" else before.with_config(value)
    ctx.obj = before
