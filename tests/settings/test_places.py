"""Every key of a TOML text is found on the line it stands on."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.settings.places import places

TEXT = '''\
# comment with [brackets] and = signs
top = 1

[gateway]   # [not.a.table]
port = 8700
hosts = [
  "a#b",   # one
  'c]d',
  """e
f""",
]
"quoted key" = { inner = [1, 2], "other" = "x" }

[routes."gpt-4o"]
targets = ["a", { target = "b", weight = 2 }]
dotted.name = true

[[budgets]]
owner = "team/a"
[[budgets]]
owner = "team/b"
note = \'\'\'
many
lines\'\'\'
limit = 5
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("gateway",), 4),
        (("gateway", "port"), 5),
        (("gateway", "hosts", 0), 7),
        (("gateway", "hosts", 2), 9),
        (("gateway", "quoted key", "inner", 1), 12),
        (("routes",), 14),
        (("routes", "gpt-4o", "targets", 1, "weight"), 15),
        (("routes", "gpt-4o", "dotted", "name"), 16),
        (("budgets", 0, "owner"), 19),
        (("budgets", 1), 20),
        (("budgets", 1, "limit"), 25),
    ],
)
def test_keys_are_found_on_their_lines(path, line):
    assert places(TEXT)[path] == line


def paths_of(value, path=()):
    if isinstance(value, dict):
        for key, one in value.items():
            yield (*path, key)
            yield from paths_of(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield (*path, index)
            yield from paths_of(one, (*path, index))


def test_every_path_of_the_data_has_a_line():
    found = places(TEXT)
    assert [path for path in paths_of(tomllib.loads(TEXT)) if path not in found] == []


keys = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
strings = st.text(alphabet="ab#[]{}=,'\\\" \n", max_size=8)


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@settings(max_examples=100)
@given(st.lists(st.tuples(keys, st.lists(strings, max_size=3), st.integers(0, 2)), unique_by=lambda one: one[0]))
def test_any_strings_leave_later_lines_right(entries):
    text, expected = "", {}
    for name, items, blank in entries:
        text += "\n" * blank
        expected[name,] = text.count("\n") + 1
        text += f"{name} = [{', '.join(literal(one) for one in items)}]  # ] = [\n"
    tomllib.loads(text)
    found = places(text)
    assert {path: line for path, line in found.items() if len(path) == 1} == expected
