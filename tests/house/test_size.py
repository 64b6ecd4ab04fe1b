"""Files, functions and parameter lists stay small, and names say something."""

from __future__ import annotations

import ast
import re

from tests.house.sources import name_of, package_files, python_files, tree

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 6
DOCSTRING_LINES = 6
SAYS_NOTHING = re.compile(r"(^|_)(utils?|helpers?|commons?|misc|managers?|stuff)(_|$)")

# Exceptions may only be taken out.
LONG_FILES: frozenset[str] = frozenset()
LONG_FUNCTIONS: frozenset[str] = frozenset()
MANY_PARAMETERS: frozenset[str] = frozenset()


def functions():
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(path)}:{node.name}", node


def body_lines(node):
    first = node.body[0].lineno if not ast.get_docstring(node) else node.body[min(1, len(node.body) - 1)].lineno
    return node.end_lineno - first + 1


def parameters(node):
    given = node.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [one for one in names if one not in ("self", "cls")]


def test_files_are_short():
    long = {name_of(one): count for one in python_files() if (count := len(one.read_text().splitlines())) > FILE_LINES}
    assert set(long) == LONG_FILES, f"split by noun, not by size: {long}"


def test_functions_are_short():
    long = {name: body_lines(node) for name, node in functions() if body_lines(node) > FUNCTION_LINES}
    assert set(long) == LONG_FUNCTIONS, long


def test_functions_take_few_parameters():
    many = {
        name: len(parameters(node))
        for name, node in functions()
        if len(parameters(node)) > PARAMETERS and node.name != "__init__"
    }
    assert set(many) == MANY_PARAMETERS, f"make a value of what belongs together: {many}"


def test_names_say_something():
    vague = [name_of(one) for one in python_files() for part in one.parts if SAYS_NOTHING.search(part.split(".")[0])]
    assert not vague


def test_modules_say_what_they_are():
    bare = [
        name_of(one)
        for one in package_files()
        if one.read_text().strip() and not (ast.get_docstring(tree(one)) or "").strip()
    ]
    assert not bare


def test_module_docstrings_are_short():
    long = [
        name_of(one)
        for one in package_files()
        if len((ast.get_docstring(tree(one)) or "").splitlines()) > DOCSTRING_LINES
    ]
    assert set(long) <= {"src/freehold/core/errors.py"}, "the tree of errors is drawn there; elsewhere six lines do"
