"""The rules' own source with one slip of the pen each: for the test that asks whether the cases would notice."""

from __future__ import annotations

import ast
import copy
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

ROOMS = ("residency", "vendors", "regimes", "decide")
"""In the order in which they use each other."""
SPARED = frozenset({"packaged", "stale", "behind", "_day", "steps"})
"""What is no part of a decision."""
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def source(room: str) -> ast.Module:
    """A module of the policy, read."""
    path = importlib.import_module(f"freehold.policy.{room}").__file__
    assert path is not None
    return ast.parse(Path(path).read_text())


def built(trees: dict[str, ast.Module]) -> Callable[..., object]:
    """`decide`, made of these modules instead of the real ones."""
    made: dict[str, ModuleType] = {}
    for room in ROOMS:
        made[room] = module = ModuleType(f"mutated_{room}")
        exec(compile(ast.fix_missing_locations(trees[room]), room, "exec"), module.__dict__)
    made["regimes"].known = made["vendors"].known
    made["regimes"].within, made["regimes"].within_any = made["residency"].within, made["residency"].within_any
    made["regimes"].normal = made["residency"].normal
    made["decide"].regimes, made["decide"].within_any = made["regimes"], made["residency"].within_any
    found: Callable[..., object] = made["decide"].decide
    return found


def mutants() -> Iterator[tuple[str, Callable[..., object]]]:
    """Each with where it is wrong."""
    trees = {room: source(room) for room in ROOMS}
    for room in ROOMS:
        for place, number in _places(trees[room]):
            tree = copy.deepcopy(trees[room])
            what = _spoil(list(_nodes(tree))[place], number)
            if what:
                yield f"{room}.py:{what}", built({**trees, room: tree})


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """What can be spoilt, in functions that decide."""
    for one in tree.body:
        if isinstance(one, ast.FunctionDef) and one.name not in SPARED:
            for node in ast.walk(one):
                if isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.If | ast.Return | ast.IfExp):
                    yield node


def _places(tree: ast.Module) -> Iterator[tuple[int, int]]:
    for place, node in enumerate(_nodes(tree)):
        count = (
            len(node.ops)
            if isinstance(node, ast.Compare)
            else len(node.values) + 1
            if isinstance(node, ast.BoolOp)
            else 1
        )
        yield from ((place, number) for number in range(count))


def _spoil(node: ast.AST, number: int) -> str:
    """Change one thing in place; say what, or nothing where it would say the same."""
    before = ast.unparse(node).splitlines()[0]
    if isinstance(node, ast.Compare):
        swap = SWAPS.get(type(node.ops[number]))
        if swap is None:
            return ""
        node.ops[number] = swap()  # type: ignore[call-overload]
    elif isinstance(node, ast.BoolOp):
        if number < len(node.values):
            del node.values[number]
            if len(node.values) == 1:
                node.values.append(node.values[0])
        else:
            node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.If | ast.IfExp):
        node.test = ast.Constant(value=False)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Compare | ast.BoolOp):
        node.value = ast.Constant(value=True)
    else:
        return ""
    return f"{node.lineno}: {before}  ->  {ast.unparse(node).splitlines()[0]}"
