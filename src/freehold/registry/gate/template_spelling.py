"""Which names of a template hold a text that it puts together: with one of them it may reach for any attribute.

Invariant: a text that is built, however it is handed on, is known as built; a plain constant is not.
"""

from __future__ import annotations

from typing import Any


class Spelling:
    """One reading of a template's tree: `made` names and `attributes` (of namespaces) hold what was put together."""

    def __init__(self, tree: Any, macros: set[str]) -> None:
        from jinja2 import nodes

        self.nodes = nodes
        self.macros = macros | {"caller"}
        self.made: set[str] = set()
        self.attributes: set[str] = set()
        self._constant: set[str] = set()
        blocks = [one.target for one in tree.find_all(nodes.AssignBlock)]
        moves = [(one.target, one.node) for one in tree.find_all(nodes.Assign)]
        moves += [(one.target, one.iter) for one in tree.find_all(nodes.For)]
        moves += list(self._given(tree))
        for target in blocks:
            self._keep(target, self.made)
        while self._spread(moves):
            pass

    def _given(self, tree: Any) -> Any:
        """What macros are called with."""
        nodes = self.nodes
        taken = {one.name: one.args for one in tree.find_all(nodes.Macro)}
        for one in tree.find_all(nodes.Call):
            if isinstance(one.node, nodes.Name) and one.node.name in taken:
                places = taken[one.node.name]
                yield from zip(places, one.args, strict=False)
                named = {each.name: each for each in places}
                yield from ((named[each.key], each.value) for each in one.kwargs if each.key in named)

    def _spread(self, moves: list[tuple[Any, Any]]) -> bool:
        before = (len(self.made), len(self.attributes), len(self._constant))
        for target, value in moves:
            if self.built(value):
                self._keep(target, self.made)
            elif self._spells(value):
                self._keep(target, self._constant)
        return before != (len(self.made), len(self.attributes), len(self._constant))

    def _keep(self, target: Any, names: set[str]) -> None:
        nodes = self.nodes
        for one in (target, *target.find_all(nodes.Node)):
            if isinstance(one, nodes.Name):
                names.add(one.name)
            elif isinstance(one, nodes.NSRef) and names is self.made:
                self.attributes.add(one.attr)

    def _spells(self, value: Any) -> bool:
        """Letters of the template's own are in it."""
        nodes = self.nodes
        if isinstance(value, nodes.Const):
            return isinstance(value.value, str)
        if isinstance(value, nodes.Name):
            return value.name in self._constant or value.name in self.made
        if isinstance(value, nodes.List | nodes.Tuple):
            return any(self._spells(each) for each in value.items)
        if isinstance(value, nodes.CondExpr):
            return self._spells(value.expr1) or (value.expr2 is not None and self._spells(value.expr2))
        if isinstance(value, nodes.Call) and isinstance(value.node, nodes.Name) and value.node.name == "dict":
            return bool(value.kwargs)
        return self.built(value)

    def built(self, value: Any) -> bool:
        """A text that is put together, or comes out of one."""
        nodes = self.nodes
        if isinstance(value, nodes.Name):
            return value.name in self.made
        if isinstance(value, nodes.Concat):
            return True
        if isinstance(value, nodes.Add | nodes.Mod | nodes.Mul):
            return self._spells(value.left) or self._spells(value.right)
        if isinstance(value, nodes.Filter):
            return (value.node is not None and self._spells(value.node)) or any(self.built(each) for each in value.args)
        if isinstance(value, nodes.Getattr):
            return value.attr in self.attributes or self.built(value.node)
        if isinstance(value, nodes.Getitem):
            return self.built(value.node) or isinstance(value.node, nodes.Const)
        if isinstance(value, nodes.Call):
            return self._called(value)
        if isinstance(value, nodes.CondExpr):
            return self.built(value.expr1) or (value.expr2 is not None and self.built(value.expr2))
        if isinstance(value, nodes.List | nodes.Tuple):
            return any(self.built(each) for each in value.items)
        return isinstance(value, nodes.Dict) and any(self.built(each.value) for each in value.items)

    def _called(self, call: Any) -> bool:
        nodes = self.nodes
        if isinstance(call.node, nodes.Name):
            return call.node.name in self.macros or call.node.name == "strftime_now"
        return isinstance(call.node, nodes.Getattr) and (
            self._spells(call.node.node) or any(self.built(each) for each in call.args)
        )
