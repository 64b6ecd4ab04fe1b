"""The command tree: one line a noun, loaded only when it is named, so that help is quick."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from freehold.cli.commands import Noun
from freehold.core.errors import FileRefused, FreeholdError

COMMANDS = (
    ("annotations", "what people say about recorded answers: import, list, export"),
    ("audit", "the log of calls and changes: verify, export, show, checkpoints, erase, hold"),
    ("batches", "callers' batches: list, show, cancel"),
    ("calls", "what happened: tail, show, export, erase"),
    ("channels", "candidate, stable, lts: promote, pin, freeze, stage, back; for models, adapters, rules, prices"),
    ("chat", "talk to a route through the gateway"),
    ("config", "freehold.toml: init, import, check, show, schema"),
    ("console", "a link into the console in a browser; sessions, revoke"),
    ("database", "where state is kept: show, and import from the home's file into PostgreSQL"),
    ("deploy", "owned models on engines: model, list, engines, stop"),
    ("doctor", "what is well and what is not, each with its fix"),
    ("errata", "advisories about what is here: check, list, show, import, publish"),
    ("evals", "candidates measured on recorded calls: run, resume, show, list, search, judge"),
    ("evidence", "a framework's controls, answered from this instance's records: make, verify, controls"),
    ("export", "everything an instance holds, in open formats"),
    ("fit", "whether a model fits on accelerators, and how fast it would be"),
    ("gap", "owned and open models against rented ones: how far behind, since when not, what waiting costs"),
    ("guard", "what calls are scanned for: test, profiles, list"),
    ("import", "recorded calls of other tools and vendors into this instance"),
    ("imports", "what was imported: list, relabel, erase"),
    ("keys", "virtual keys: create, list, show, update, rotate, revoke, erase"),
    ("lifecycle", "retirements of rented models: what they hit here, and the move away"),
    ("login", "sign in as yourself; commands then act in your role"),
    ("logout", "end your session"),
    ("models", "owned models: fetch, list, show, verify"),
    ("moves", "workflows from rented to owned: start, watch, approve, promote, hold, rollback, dossier, verify"),
    ("overview", "this month at a glance: what is owned, what it costs, is it safe, what needs you"),
    ("people", "who signs in: list, show, role, revoke, restore, break-glass"),
    ("plan", "what to own, where and at what cost, from the traffic itself: make, show, report, actual"),
    ("policy", "what may go where: check, explain, test, table, firewall"),
    ("prices", "what rented models cost, with source and date; list prices weighted, savings over quality"),
    ("probe", "measure an endpoint, and re-fit the estimates of speed to it"),
    ("providers", "who serves models: list, check"),
    ("receipts", "signed statements about calls: show, verify, public-key"),
    ("replicas", "other machines that serve by this instance's rules: add, list, remove"),
    ("routes", "what clients may name in `model`: list, show, explain"),
    ("support", "bundles for support: facts of fixed kinds, no prompts, no secrets"),
    ("up", "start everything and stay"),
    ("usage", "tokens, money and time, by team, workflow, target and more"),
    ("vault", "keys of the pseudonym vault: list, erase"),
    ("whoami", "as whom commands act here"),
    ("workflows", "the tasks calls are made of: discover, list, show, rename, merge, split, samples"),
)
"""Name (also of the file in `cli/` and of the command in it), and its line of help."""

_SPELLED = {"import": "importing"}
"""What Python keeps for itself cannot be the name of a file."""


class Tree(Noun):
    """Commands by name; nothing is imported for the list of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return [name for name, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one noun."""
        if not any(name == cmd_name for name, _ in COMMANDS):
            return None
        name = _SPELLED.get(cmd_name, cmd_name)
        found = getattr(importlib.import_module(f"freehold.cli.{name}"), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS))


@click.command(cls=Tree, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, value: _version(ctx, value),
    help="Show the version and exit.",
)
def freehold() -> None:
    """Use rented models today, own your AI tomorrow: one door for both, metered, governed, with receipts.

    Results go to standard output, messages to standard error; every command takes --json.
    Every command also takes --config and --home; they may stand before it or after.
    Exit codes: 0 done, 1 failed, 2 usage, 3 changes pending, 4 gate not passed.
    """


def _version(ctx: click.Context, value: Any) -> None:
    if value:
        from freehold import __version__

        click.echo(f"freehold {__version__}")
        ctx.exit(0)


def run(arguments: Sequence[str]) -> int:
    """Run one command; the process edge, where errors become text and an exit code."""
    try:
        code = freehold.main(args=list(arguments), prog_name="freehold", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("stopped\n")
        return 1
    except FreeholdError as error:
        tell(error, as_json="--json" in arguments)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has enough; Python must not complain at exit
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        tell(FileRefused.of(error), as_json="--json" in arguments)
        return 1
    return code if isinstance(code, int) else 0


def tell(error: FreeholdError, *, as_json: bool) -> None:
    """An error on standard error: what happened, and the command that mends it."""
    if as_json:
        sys.stderr.write(json.dumps({"error": error.as_dict()}, default=str) + "\n")
        return
    problems = getattr(error, "problems", ())
    if problems:
        sys.stderr.write(f"{error}\n")
        return
    fix = f"\n  fix   {error.hint}" if error.hint else ""
    sys.stderr.write(f"error[{error.as_dict().get('code', error.code)}] {error.message}{fix}\n")
