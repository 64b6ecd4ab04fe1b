"""Chat templates: what they reach for, by a list of what templates need, and what they say that no message said.

Invariant: a template is rendered only when nothing in it was refused, in Jinja's immutable sandbox, on our messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate.naming import RUN, quoted
from freehold.registry.gate.template_render import extensions, probed
from freehold.registry.gate.template_said import Said
from freehold.registry.gate.template_spelling import Spelling
from freehold.registry.gate.types import Format, Reason, Source, Walk

MOST_CHARACTERS = 1 << 18
MOST_MOVES = 1_000
"""Names set, loops and macros: each is followed through all others."""
MOST_TURNS = 10_000
"""Of a loop over numbers; products of nested ones count."""
_SIGNS = (b"{%", b"{{")

GIVEN = frozenset(
    """messages message tools tool documents add_generation_prompt continue_final_message bos_token eos_token pad_token
    unk_token sep_token cls_token mask_token image_token audio_token video_token boi_token eoi_token namespace range
    dict raise_exception strftime_now date_string today custom_tools builtin_tools tools_in_user_message enable_thinking
    thinking reasoning_effort model_identity developer_instructions add_vision_id citations available_tools loop caller
    true false none True False None controls safety_mode system_message xml_tools tool_choice guideline json
    preserve_thinking keep_all_reasoning add_nothink response_format datetime special_token strip_thinking""".split()  # noqa: SIM905
)
"""What renderers give to templates of the known families."""
_REFUSED_NAMES = frozenset(
    {"self", "cycler", "joiner", "lipsum", "request", "config", "url_for", "get_flashed_messages", "g", "session"}
)
_METHODS = frozenset(
    """append capitalize count endswith find get index insert isalpha isdigit items join keys lower lstrip partition pop
    removeprefix removesuffix replace rfind rpartition rsplit rstrip split splitlines startswith strip title update
    upper values extend copy""".split()  # noqa: SIM905
)
_FILTERS = frozenset(
    """abs capitalize count default d dictsort e escape first float indent int items join last length list lower map max
    min reject rejectattr replace reverse round safe select selectattr slice sort string sum title tojson trim unique
    upper wordcount groupby batch""".split()  # noqa: SIM905
)
_BY_NAME = frozenset({"groupby", "map", "max", "min", "rejectattr", "selectattr", "sort", "sum", "unique"})
_REFUSED_FILTERS = frozenset({"attr", "pprint", "xmlattr", "filesizeformat", "random"})
_INNER = re.compile(r"_|.*__|(?:mro|gi|cr|ag|tb|co|func|im|f)_|mro\Z|format_map\Z", re.DOTALL)
"""Names of what Python's objects keep to themselves."""
_GROWS = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs"})
_DUNDER = re.compile(r"[\w.]*__\w+__[\w.]*")


def known(source: Source) -> bool:
    """A text that renders something: a `.jinja` file, or one that begins as a template."""
    head = bytes(source.data[:4096])
    name = source.name.lower()
    if name.endswith((".jinja", ".jinja2", ".j2")):
        return True
    if name.endswith(RUN):
        return False
    return head.lstrip()[:2] in (*_SIGNS, b"{#") and b"\0" not in head


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """The whole file is one template."""
    yield from reasons(bytes(source.data).decode("utf-8"), source.name)


def reasons(text: str, where: str) -> Iterator[Reason]:
    """Why a template is not simply allowed."""
    if len(text) > MOST_CHARACTERS:
        yield Reason("block", "template.long", where, f"a template of {len(text)} characters")
        return
    from jinja2 import Environment, TemplateError, nodes

    try:
        tree = Environment(extensions=extensions()).parse(text)  # noqa: S701  only parsed
    except (TemplateError, RecursionError, ValueError, OverflowError) as broken:
        yield Reason("block", "template.broken", where, f"no template: {quoted(str(broken), 80)}")
        return
    if sum(1 for _ in tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For, nodes.Macro))) > MOST_MOVES:
        yield Reason("block", "template.long", where, f"more than {MOST_MOVES} names are set")
        return
    found = list(dict.fromkeys(_Reader(tree).reasons(where)))
    yield from found
    if not any(one.verdict == "block" for one in found):
        yield from probed(text, where)


class _Reader:
    """One reading of a template's tree."""

    def __init__(self, tree: Any) -> None:
        from jinja2 import nodes

        self.nodes = nodes
        self.tree = tree
        stored = {one.name for one in tree.find_all(nodes.Name) if one.ctx in ("store", "param")}
        self.macros = {one.name for one in tree.find_all(nodes.Macro)}
        self.defined = stored | self.macros | {"varargs", "kwargs"}
        self.spelling = Spelling(tree, self.macros)
        self.said = Said(tree)

    def reasons(self, where: str) -> Iterator[Reason]:
        """By kinds of nodes."""
        nodes = self.nodes
        for one in self.tree.find_all(nodes.Node):
            for verdict, code, said in (*self._node(one), *self.said.triggers(one)):
                yield Reason(verdict, f"template.{code}", where, said)  # type: ignore[arg-type]
        turns = self._turns(self.tree)
        if turns > MOST_TURNS:
            yield Reason("block", "template.loops", where, f"loops {turns} times whatever it is given")

    def _node(self, one: Any) -> Iterator[tuple[str, str, str]]:
        nodes = self.nodes
        if isinstance(one, nodes.Import | nodes.FromImport | nodes.Include | nodes.Extends):
            yield "block", "include", "takes in other templates"
        elif isinstance(one, nodes.Getattr):
            if _INNER.match(one.attr):
                yield "block", "attribute", f"reaches for .{quoted(one.attr, 40)}"
        elif isinstance(one, nodes.Getitem):
            yield from self._item(one)
        elif isinstance(one, nodes.Name):
            yield from self._name(one)
        elif isinstance(one, nodes.Filter):
            yield from self._filter(one)
        elif isinstance(one, nodes.Call):
            yield from self._call(one)
        elif isinstance(one, nodes.Const | nodes.Keyword):
            yield from self._spelled(one)
        elif isinstance(one, nodes.Mul | nodes.Pow) and any(
            isinstance(each.value, int) and abs(each.value) > 1000 for each in one.find_all(nodes.Const)
        ):
            yield "block", "grows", "multiplies by a large number"

    def _name(self, one: Any) -> Iterator[tuple[str, str, str]]:
        if one.ctx != "load" or one.name in self.defined:
            return
        if one.name in _REFUSED_NAMES or one.name.startswith("_"):
            yield "block", "name", f"uses {quoted(one.name, 40)}"
        elif one.name not in GIVEN:
            yield "review", "name", f"uses {quoted(one.name, 40)}, which no renderer is known to give"

    def _spelled(self, one: Any) -> Iterator[tuple[str, str, str]]:
        """A name of Python's own, as a text or as an argument's name, to be handed on to where names are looked up."""
        text = one.key if isinstance(one, self.nodes.Keyword) else one.value
        inner = _INNER.match if isinstance(one, self.nodes.Keyword) else _DUNDER.fullmatch
        if isinstance(text, str) and inner(text):
            yield "block", "attribute", f"spells {quoted(text, 40)}"

    def _item(self, one: Any) -> Iterator[tuple[str, str, str]]:
        nodes = self.nodes
        if isinstance(one.arg, nodes.Const):
            if isinstance(one.arg.value, str) and _INNER.match(one.arg.value):
                yield "block", "attribute", f"reaches for [{quoted(one.arg.value, 40)!r}]"
        elif isinstance(one.arg, nodes.Concat | nodes.Add | nodes.Mod | nodes.Filter | nodes.Call) and any(
            isinstance(each.value, str) for each in one.arg.find_all(nodes.Const)
        ):
            yield "block", "attribute", "reaches for a name it puts together"
        elif self.spelling.built(one.arg):
            yield "block", "attribute", "reaches for a name it put together before"

    def _filter(self, one: Any) -> Iterator[tuple[str, str, str]]:
        if one.name in _REFUSED_FILTERS:
            yield "block", "filter", f"filters by {one.name}"
        elif one.name not in _FILTERS:
            yield "review", "filter", f"filters by {quoted(one.name, 40)}"
        for each in (*one.args, *(pair.value for pair in one.kwargs)):
            named = isinstance(each, self.nodes.Const) and isinstance(each.value, str)
            if one.name in _BY_NAME and named and _INNER.match(each.value):
                yield "block", "attribute", f"filters by the name {quoted(each.value, 40)}"
            elif one.name in _BY_NAME and self.spelling.built(each):
                yield "block", "attribute", "filters by a name it puts together"

    def _call(self, one: Any) -> Iterator[tuple[str, str, str]]:
        nodes, called = self.nodes, one.node
        if isinstance(called, nodes.Getattr):
            if called.attr in _GROWS:
                yield "block", "grows", f"calls .{called.attr}()"
            elif called.attr == "format":
                if not isinstance(called.node, nodes.Const) or re.search(r"[._\[]", str(called.node.value)):
                    yield "block", "call", "formats a text that names attributes, or that it made"
            elif called.attr not in _METHODS:
                yield "review", "call", f"calls .{quoted(called.attr, 40)}()"
        elif not isinstance(called, nodes.Name):
            yield "block", "call", "calls what it looked up"

    def _turns(self, node: Any, outer: int = 1) -> int:
        """The most that loops over constant numbers, in each other, may turn."""
        nodes = self.nodes
        most = outer
        for child in node.iter_child_nodes():
            here = outer
            if isinstance(child, nodes.For):
                numbers = [each.value for each in child.iter.find_all(nodes.Const) if isinstance(each.value, int)]
                if isinstance(child.iter, nodes.Call) and numbers:
                    here = outer * max(1, *map(abs, numbers))
            most = max(most, self._turns(child, here))
        return most


FORMAT = Format("template", known, look)
