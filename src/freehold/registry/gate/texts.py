"""Texts by what they would do where their name puts them: notes do nothing, Python runs, YAML may name classes.

Invariant: a text is UTF-8 without control characters, to the last byte.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from urllib.parse import unquote

from freehold.registry.gate import targets
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.types import Format, Reason, Source, Walk

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_TAGS = re.compile(
    r"!!python/|!!?(?:java|ruby|js|perl)[/:.]|tag:yaml\.org,2002:python|%TAG\s+!\S*\s+tag:yaml", re.IGNORECASE
)
_SCRIPT = (".bash", ".bat", ".cmd", ".js", ".lua", ".pl", ".ps1", ".rb", ".sh", ".vbs", ".wasm")
_GRAPHS = (".pbtxt", ".prototxt", ".textproto")
_GRAPH = re.compile(r"\b(?:node|node_def|meta_graphs|graph_def|library)\s*:?\s*[{<]")
_CODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
"""As PEP 263 has it."""
_CODINGS = frozenset({"ascii", "iso-8859-1", "latin-1", "latin1", "us-ascii", "utf-8", "utf8"})
_RUNS = frozenset(
    """__import__ compile eval exec os subprocess system popen Popen spawn fork execv execve call run check_output
    urlopen urlretrieve socket ctypes CDLL importlib import_module rmtree unlink remove loads""".split()  # noqa: SIM905
)
"""Names whose call, as a module is imported, is no definition."""


def known(source: Source) -> bool:
    """UTF-8 with nothing but signs and breaks."""
    data = bytes(source.data)
    if not data or _CONTROL.search(data):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """By the name, since a name decides who runs it."""
    name, text = source.name.lower(), bytes(source.data).decode("utf-8")
    if name.endswith((".py", ".pyi", ".pyw", ".ipynb")):
        yield from _python(text, source.name)
    elif name.endswith((".yaml", ".yml")) or re.split(r"[/!]", name)[-1] == "mlmodel":
        if found := _TAGS.search(unquote(text)):  # readers of YAML take %70 for p
            yield Reason("block", "yaml.tag", source.name, f"names a class to be made: {quoted(found.group(), 60)}")
        yield from targets.reasons(text, source.name)
    elif name.endswith(_GRAPHS) and _GRAPH.search(text):
        yield Reason("review", "text.graph", source.name, "a graph of operations, written out as a text")
    elif name.endswith(_SCRIPT) or text.startswith("#!"):
        yield Reason("review", "text.script", source.name, "is a program")
    elif name.endswith(".pth"):
        yield Reason("block", "text.path", source.name, "Python runs lines of such files at its start")


def _python(text: str, where: str) -> Iterator[Reason]:
    for line in text.splitlines()[:2]:
        if (found := _CODING.match(line)) and found.group(1).lower() not in _CODINGS:
            yield Reason(
                "block", "python.coding", where, f"is read otherwise by Python: as {quoted(found.group(1), 40)}"
            )
            return
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield Reason("block", "python.broken", where, "is no Python")
        return
    for name in _run_at_import(tree.body):
        yield Reason("block", "python.runs", where, f"calls {quoted(name, 60)} as it is imported")
        return
    yield Reason("review", "python.code", where, "is code of a repository")


def _run_at_import(body: list[ast.stmt]) -> Iterator[str]:
    """Calls outside of functions, of names that reach outside."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(one.decorator_list if not isinstance(one, ast.Lambda) else [])
            continue
        if isinstance(one, ast.Call):
            parts = {each.id for each in ast.walk(one.func) if isinstance(each, ast.Name)}
            parts |= {each.attr for each in ast.walk(one.func) if isinstance(each, ast.Attribute)}
            if parts & _RUNS:
                yield ".".join(sorted(parts & _RUNS))
        waiting.extend(ast.iter_child_nodes(one))


FORMAT = Format("text", known, look)
