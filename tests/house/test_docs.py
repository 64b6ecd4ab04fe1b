"""Documentation is a tested contract: what is not documented fails, and what is documented is true."""

from __future__ import annotations

import re

import click
import pytest

from docs import generate
from freehold.cli.main import COMMANDS
from freehold.cli.main import freehold as tree
from freehold.core import errors as tree_of_errors
from freehold.server.document import OPEN_TO_ALL
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig
from freehold.settings.tree import Settings
from tests.house.sources import ROOT, package_files, tracked


def commands(command, context):
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            yield from commands(one, click.Context(one, info_name=name, parent=context))


ALL_COMMANDS = dict(commands(tree, click.Context(tree, info_name="freehold")))


def test_reference_pages_are_fresh():
    assert generate.stale() == (), "write them anew: make docs"


def test_every_command_and_option_says_what_it_does():
    silent = [path for path, one in ALL_COMMANDS.items() if not one.help]
    silent += [
        f"{path} {option.name}"
        for path, one in ALL_COMMANDS.items()
        for option in one.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert not silent


def test_every_command_takes_json():
    deaf = [
        path
        for path, one in ALL_COMMANDS.items()
        if not isinstance(one, click.Group) and not any("--json" in option.opts for option in one.params)
    ]
    assert not deaf


def test_every_command_of_the_table_exists():
    for name, _ in COMMANDS:
        assert f"freehold {name}" in ALL_COMMANDS


def test_every_setting_says_what_it_is():
    schema = Settings.model_json_schema()
    silent = [
        f"{name}.{key}"
        for name, form in schema["$defs"].items()
        for key, one in form.get("properties", {}).items()
        if not one.get("description")
    ]
    assert not silent


def test_every_error_has_a_code_of_its_own_a_meaning_and_a_fix():
    kinds = generate.errors()
    codes = [one.code for one in kinds]
    assert sorted(set(codes)) == sorted(codes)
    for one in kinds:
        assert re.fullmatch(r"FH-[A-Z]{2,3}-\d{3}", one.code), one
        assert (one.__doc__ or "").strip(), one
        assert one.hint_text or one is tree_of_errors.FreeholdError, one


def test_the_tree_of_errors_is_drawn():
    drawn = set(re.findall(r"[├└]── (\w+)", tree_of_errors.__doc__ or ""))
    mine = [one for one in tree_of_errors.FreeholdError.__subclasses__() if one.__module__ == tree_of_errors.__name__]
    assert drawn == {one.__name__ for one in mine}


def test_commands_that_are_advised_exist():
    advice = re.compile(r"freehold (?:--\w+ \S+ )*([a-z]+(?: [a-z][a-z-]*)?)")
    unknown = set()
    for path in package_files():
        for line in path.read_text().splitlines():
            if ": freehold " in line or "`freehold " in line:
                for words in advice.findall(line.partition("freehold ")[1] + line.partition("freehold ")[2]):
                    first = words.split()[0]
                    group = ALL_COMMANDS.get(f"freehold {first}")
                    if group is None or (isinstance(group, click.Group) and f"freehold {words}" not in ALL_COMMANDS):
                        unknown.add(words)
    assert not unknown


def test_every_endpoint_but_the_probe_and_sign_in_demands_a_permission():
    open_to_all = sorted({path for _, path, permission, _ in generate.endpoints() if not permission})
    assert open_to_all == ["/api/login", "/api/login/finish", "/health"]
    assert open_to_all == sorted(OPEN_TO_ALL)


@pytest.mark.parametrize("page", [one for one in tracked() if one.endswith(".md") and not one.startswith("bench/out")])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


PAGES = [one for one in tracked() if one.endswith(".md") and (one.startswith("docs/") or "/" not in one)]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def problems(text):
    try:
        parse(text.encode(), None, {})
    except InvalidConfig as error:
        return {one.code for one in error.problems}
    return set()


@pytest.mark.parametrize("page", PAGES)
def test_configuration_in_the_pages_is_valid_but_for_names_declared_elsewhere(page):
    for text in blocks(page, "toml"):
        assert problems(text) <= {"FH-CFG-015"}, text


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_pages_exist_with_their_options(page):
    lines = [line for text in blocks(page, "sh") for line in text.splitlines()]
    for command in [part for line in lines for part in re.split(r"&&", line.partition("#")[0]) if "freehold " in part]:
        words = command.partition("freehold ")[2].split()
        named = [word for word in words if not word.startswith("-")]
        path = next(one for deep in (3, 2, 1) if (one := f"freehold {' '.join(named[:deep])}") in ALL_COMMANDS)
        known = {spelling for option in ALL_COMMANDS[path].params for spelling in option.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert given <= known | {"--home", "--config"}, command
